"""Clocks that jump: what a wrong one wrote holds nothing up, and keeps nothing running."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from aws_parallelizer.core.fleet import Backoff, Streak
from chalicelib import emptiness, refusals
from fleets import START, World, working

DAY = 24 * 3600


@pytest.fixture
def world() -> World:
    return World()


def tick_with_a_clock_that_is_off(world: World, seconds: float) -> None:
    """One run of reconcile whose clock is wrong; EC2's own is right."""
    right = world.ec2.now
    world.ec2.now = right + timedelta(seconds=seconds)
    try:
        world.run()
    finally:
        world.ec2.now = right


def test_a_back_off_that_a_clock_wrote_which_was_a_day_ahead_does_not_last_a_day(
    world: World,
) -> None:
    world.add_job()
    world.enqueue("job/1")
    world.ec2.capacity = 0
    tick_with_a_clock_that_is_off(world, DAY)
    assert world.fleet().backoff.until
    world.ec2.capacity = 100

    world.tick(2)

    assert len(world.ec2.running) == 1


def test_a_lease_that_a_clock_wrote_which_was_a_day_ahead_does_not_last_a_day(
    world: World,
) -> None:
    ahead = START + timedelta(days=1)
    assert world.registry.take_lease("reconcile", owner="dead", now=ahead, seconds=310)
    working(world)


def test_a_lease_that_a_right_clock_wrote_is_kept_by_one_that_is_a_little_off(
    world: World,
) -> None:
    registry = world.registry
    assert registry.take_lease("reconcile", owner="at work", now=START, seconds=310)
    early, late = START - timedelta(minutes=2), START + timedelta(minutes=2)
    assert registry.take_lease("reconcile", owner="another", now=early, seconds=310) is None
    assert registry.take_lease("reconcile", owner="another", now=late, seconds=310) is None


@pytest.mark.parametrize("off", [DAY, -DAY, 3600, -3600])
def test_a_clock_that_was_off_once_keeps_no_fleet_running_when_the_work_is_over(
    world: World, off: float
) -> None:
    working(world)
    world.work(40)
    tick_with_a_clock_that_is_off(world, off)

    world.tick(20)

    assert world.ec2.running == []
    assert world.fleet().sentence == "no work left: nothing runs"


@pytest.mark.parametrize("off", [-300, 300])
def test_a_clock_that_goes_back_and_forth_between_ticks_ends_nobodys_work_and_launches_no_more(
    world: World, off: float
) -> None:
    working(world)

    for _ in range(5):
        tick_with_a_clock_that_is_off(world, off)
        world.tick()

    assert len(world.ec2.machines) == 2
    assert world.ec2.changed == set()


def test_a_streak_never_begins_after_now() -> None:
    later = START + timedelta(days=1)
    streak = emptiness.after(Streak(readings=5, since=later), said=True, now=START)
    assert streak == Streak(readings=6, since=START)


def test_no_back_off_lasts_longer_than_the_longest() -> None:
    hour = timedelta(hours=1)
    assert refusals.holds(Backoff(until=START + hour), now=START)
    assert not refusals.holds(Backoff(until=START + hour + timedelta(seconds=1)), now=START)
    assert not refusals.holds(Backoff(until=START), now=START)


def test_summer_time_changes_no_age() -> None:
    """Two moments of the hour that Europe has twice, each with its own offset."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=2)))
    second = datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=1)))
    streak = emptiness.after(Streak(), said=True, now=first)
    streak = emptiness.after(streak, said=True, now=second.astimezone(UTC))
    assert emptiness.is_proof(streak, readings=2, seconds=3600, now=second)
    assert not emptiness.is_proof(streak, readings=2, seconds=3601, now=second)
