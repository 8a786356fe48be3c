"""Stories in which an invariant was once broken, or nearly: each stands for its kind."""

from __future__ import annotations

import pytest

from fakes.ec2 import Fault
from interleavings import THOROUGH
from interleavings.events import (
    Ask,
    BrokenTick,
    CrossedTick,
    Lost,
    Order,
    OtherTick,
    Tick,
    Upload,
    Wait,
)
from interleavings.mishaps import BadWorker, Reclaim, Trouble, Vanish
from interleavings.story import Setting, Spot, Story

FILES = Upload(6)
CALLS = range(1, 30, 1 if THOROUGH else 2)  # none of these ticks makes more
EXTREMES = (Spot.ONE_TIME, Spot.STOPPING)


def test_an_instance_relaunched_just_before_its_job_is_deleted_is_not_forgotten() -> None:
    setting = Setting(spot=Spot.STOPPING, slots=1, most=1, lag_seconds=90)
    Story(setting).tell([FILES, Tick(), Vanish(0), Ask(Order.DELETE), Wait(30)])


@pytest.mark.parametrize("spot", EXTREMES)
@pytest.mark.parametrize("fault", Fault)
def test_a_launching_tick_may_break_at_any_call(spot: Spot, fault: Fault) -> None:
    for call in CALLS:
        story = Story(Setting(spot=spot, lag_seconds=50))
        story.tell([FILES, BrokenTick(call, fault), Tick(), Tick()])


@pytest.mark.parametrize("spot", Spot)
def test_a_launch_that_a_later_tick_sends_is_counted_until_it_is_shown(spot: Spot) -> None:
    call = "create_fleet" if spot is Spot.ONE_TIME else "run_instances"
    story = Story(Setting(spot=spot, lag_seconds=90))
    story.tell([FILES, BrokenTick(call, Fault.CRASH_BEFORE), Tick(), Tick()])


@pytest.mark.parametrize("spot", Spot)
@pytest.mark.parametrize("fault", [Fault.CRASH_AFTER, Fault.LOST_ANSWER])
def test_a_launch_is_made_once_whatever_becomes_of_its_answer(spot: Spot, fault: Fault) -> None:
    for call in ("create_fleet", "run_instances"):
        story = Story(Setting(spot=spot, lag_seconds=90))
        story.tell([FILES, BrokenTick(call, fault), Tick(), Tick()])


@pytest.mark.parametrize("spot", EXTREMES)
@pytest.mark.parametrize("fault", Fault)
def test_a_stopping_tick_may_break_at_any_call(spot: Spot, fault: Fault) -> None:
    for call in CALLS:
        story = Story(Setting(spot=spot))
        story.tell([FILES, Tick(), Tick(), Ask(Order.STOP), BrokenTick(call, fault), Tick()])
        assert story.running() == []


@pytest.mark.parametrize("spot", Spot)
def test_a_second_tick_at_any_call_of_the_first_launches_nothing_more(spot: Spot) -> None:
    for call in CALLS:
        story = Story(Setting(spot=spot, lag_seconds=90))
        story.tell([FILES, CrossedTick(call, OtherTick()), Tick()])


@pytest.mark.parametrize("spot", Spot)
def test_instances_that_never_work_are_replaced_until_all_is_done(spot: Spot) -> None:
    dead = [BadWorker(Trouble.DEAD, which) for which in range(2)]
    Story(Setting(spot=spot)).tell([FILES, Tick(), *dead, Tick()])


def test_a_parked_instance_that_is_soon_started_again_is_not_taken_for_idle() -> None:
    story = Story(Setting(spot=Spot.STOPPING))
    story.tell([FILES, Tick(), Lost()])


@pytest.mark.parametrize("notice", [True, False])
@pytest.mark.parametrize("spot", Spot)
def test_what_ec2_takes_back_in_the_midst_of_a_task_is_done_by_others(
    spot: Spot, notice: bool
) -> None:
    taken = [Tick(), Wait(120), Reclaim(0, notice), Tick()]
    Story(Setting(spot=spot)).tell([FILES, *taken, *taken])


def test_a_worker_lost_between_ledger_and_queue_has_its_message_dropped_by_another() -> None:
    Story(Setting()).tell([FILES, Tick(), Wait(120), BadWorker(Trouble.FORGETFUL), Tick()])
