"""Where missing instances come from: parked ones, spot, on demand; and what holds them back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aws_parallelizer.core.fleet import Backoff, Beat, Phase
from aws_parallelizer.core.job import Wish
from chalicelib.actions import CancelRequests, Launch, Start
from chalicelib.planning import plan
from situations import LIMITS, NOW, beat, instance, intent, launched, parked, situation

SOON = NOW + timedelta(minutes=5)
STARVED = Backoff(
    failures=4,
    until=SOON,
    sentence="no spot capacity in 6 of 6 pools",
    kind="capacity",
    since=NOW - timedelta(minutes=20),
)
BROKEN = Backoff(
    failures=3,
    until=SOON,
    sentence="3 launches in a row brought no instance that worked",
    kind="barren",
)
PATIENT = replace(LIMITS, on_demand_after=timedelta(minutes=30))
IMPATIENT = replace(LIMITS, on_demand_after=timedelta(minutes=20))


def test_parked_instances_are_started_before_new_ones_are_launched() -> None:
    pairs = [parked(0), parked(1)]
    there = {
        "instances": tuple(one for one, _ in pairs),
        "requests": tuple(one for _, one in pairs),
        "beats": (beat(0, phase=Phase.ENDED), beat(1, phase=Phase.ENDED)),
    }

    few = plan(situation(demand=2, **there))
    many = plan(situation(demand=100, **there))

    assert few.actions == (Start(ids=("i-0",)),)
    assert many.actions == (Start(ids=("i-0", "i-1")), Launch(count=3))
    assert many.sentence.startswith("starting 2 parked instances, launching 3 instances: ")


@pytest.mark.parametrize("name", ["i-0", "c7i.large subnet-a"])
def test_a_parked_instance_that_ec2_would_not_start_gives_way_to_a_launch(name: str) -> None:
    stopped, disabled = parked(0)
    there = {
        "instances": (stopped,),
        "requests": (disabled,),
        "beats": (beat(0),),
        "demand": 2,
    }

    held = plan(situation(held={name: Backoff(failures=1, until=SOON)}, **there))
    past = plan(situation(held={name: Backoff(failures=1, until=NOW)}, **there))

    assert held.actions == (Launch(count=1),)
    assert past.actions == (Start(ids=("i-0",)),)


@pytest.mark.parametrize(
    "said", [(), (beat(0, phase=Phase.ENDED, ready=False),), (beat(0, ago=9999),)]
)
def test_a_parked_instance_that_never_worked_is_not_started_again_and_goes(
    said: tuple[Beat, ...],
) -> None:
    stopped, disabled = parked(0)
    there = {"instances": (stopped,), "requests": (disabled,), "beats": said, "demand": 2}

    first = plan(situation(**there))
    second = plan(situation(condemned=frozenset({"i-0"}), **there))

    assert first.actions == (Launch(count=1),)
    assert second.actions == (CancelRequests(ids=("sir-0",)), Launch(count=1))


def test_an_instance_that_ec2_stopped_is_left_to_ec2() -> None:
    stopped, disabled = parked(0)
    by_ec2 = type(disabled)(
        id="sir-0",
        type="persistent",
        state="disabled",
        status="instance-stopped-no-capacity",
        instance="i-0",
    )

    decided = plan(situation(demand=2, instances=(stopped,), requests=(by_ec2,)))

    assert decided.actions == ()  # EC2 starts it again itself, and it counts as on its way


def test_parked_instances_are_started_though_spot_has_no_capacity() -> None:
    stopped, disabled = parked(0)

    decided = plan(
        situation(
            demand=2,
            instances=(stopped,),
            requests=(disabled,),
            beats=(beat(0),),
            backoff=STARVED,
        )
    )

    assert decided.actions == (Start(ids=("i-0",)),)


def test_on_demand_takes_over_when_spot_has_had_no_capacity_for_so_long() -> None:
    patient = plan(situation(demand=2, limits=PATIENT, backoff=STARVED))
    impatient = plan(situation(demand=2, limits=IMPATIENT, backoff=STARVED))

    assert patient.actions == ()
    assert patient.sentence == "no spot capacity in 6 of 6 pools, next try in 5 min"
    assert impatient.actions == (Launch(count=1, on_demand=True),)
    assert impatient.sentence.startswith("launching 1 on-demand instance: ")


def test_spot_is_tried_again_before_more_is_bought_on_demand() -> None:
    over = replace_until(STARVED)

    assert plan(situation(demand=2, limits=IMPATIENT, backoff=over)).actions == (Launch(count=1),)


def replace_until(backoff: Backoff) -> Backoff:
    return Backoff(
        failures=backoff.failures,
        until=NOW,
        sentence=backoff.sentence,
        kind=backoff.kind,
        since=backoff.since,
    )


@pytest.mark.parametrize("kind", ["price", "quota", "throttle", "configuration"])
def test_on_demand_takes_over_for_want_of_capacity_and_for_nothing_else(kind: str) -> None:
    other = Backoff(failures=4, until=SOON, kind=kind, since=STARVED.since, sentence="no")

    assert plan(situation(demand=2, limits=IMPATIENT, backoff=other)).actions == ()


def test_on_demand_has_a_back_off_of_its_own() -> None:
    refused = Backoff(failures=1, until=SOON, sentence="on-demand: quota", kind="quota")

    decided = plan(
        situation(demand=2, limits=IMPATIENT, backoff=STARVED, on_demand_backoff=refused)
    )

    assert decided.actions == ()
    assert decided.sentence == "on-demand: quota, next try in 5 min"


def test_after_three_barren_launches_nothing_is_launched_for_a_while() -> None:
    decided = plan(situation(demand=100, breaker=BROKEN))

    assert decided.actions == ()
    assert decided.sentence == (
        "3 launches in a row brought no instance that worked, next try in 5 min"
    )


def test_after_that_one_instance_at_a_time_is_tried() -> None:
    over = Backoff(failures=3, until=NOW, sentence=BROKEN.sentence)
    tried = (intent(made=("i-9",)),)
    known = (intent(made=("i-9",), judged=True, age=3600),)

    assert plan(situation(demand=100, breaker=over)).actions == (Launch(count=1),)
    waiting = plan(situation(demand=100, breaker=over, intents=tried))
    assert launched(waiting) == 0
    assert "one instance is being tried" in waiting.sentence
    assert launched(plan(situation(demand=100, breaker=over, intents=known))) == 1


def test_a_persons_wish_is_a_trial_that_the_breaker_does_not_hold_back() -> None:
    decided = plan(situation(demand=100, breaker=BROKEN, wishes=(Wish(id="w", count=2),)))

    assert decided.actions == (Launch(count=2, wish="w"),)


def test_a_wish_waits_while_ec2_refuses() -> None:
    decided = plan(situation(backoff=STARVED, wishes=(Wish(id="w", count=2),)))

    assert decided.actions == ()
    assert decided.granted == ()
    assert decided.sentence == "no spot capacity in 6 of 6 pools, next try in 5 min"


def test_what_runs_is_said_beside_what_holds_launches_back() -> None:
    decided = plan(situation(demand=100, instances=(instance(0),), backoff=STARVED))

    assert decided.sentence == (
        "100 tasks in the queue, 1 of 5 instances there; "
        "no spot capacity in 6 of 6 pools, next try in 5 min"
    )
