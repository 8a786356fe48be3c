"""A job that is paused, or whose budget is spent, launches nothing and interrupts nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aws_parallelizer.core.job import Wish
from chalicelib.actions import CancelRequests, Launch, Settle, Terminate
from chalicelib.planning import plan
from situations import LIMITS, instance, intent, parked, request, running, situation

FIVE = replace(LIMITS, budget=5.0)


def test_a_paused_job_launches_nothing_and_its_workers_finish_what_they_have_begun() -> None:
    decided = plan(situation(demand=100, paused=True, instances=running(2)))

    assert decided.actions == ()
    assert decided.hold == ""
    assert decided.sentence == (
        "paused: 2 instances may finish what they have begun, 100 tasks in the queue"
    )


def test_a_paused_jobs_open_requests_are_cancelled_and_its_instances_kept() -> None:
    stopped, disabled = parked(3)
    decided = plan(
        situation(
            demand=100,
            paused=True,
            instances=(instance(0, request="sir-0"), stopped),
            requests=(request(0, of="i-0"), request(1, state="open"), disabled),
        )
    )

    assert decided.actions == (CancelRequests(ids=("sir-1",)),)


def test_a_paused_job_whose_work_is_over_is_let_go() -> None:
    decided = plan(situation(paused=True, empty=True))

    assert decided.sentence == "no work left: nothing runs"


def test_a_paused_job_keeps_its_wishes() -> None:
    decided = plan(situation(paused=True, wishes=(Wish(id="w", count=1),)))

    assert decided.actions == decided.granted == ()


@pytest.mark.parametrize(("spent", "count"), [(0.0, 5), (4.99, 5), (5.0, 0), (7.0, 0)])
def test_nothing_is_launched_once_the_budget_is_spent(spent: float, count: int) -> None:
    decided = plan(situation(demand=100, limits=FIVE, spent=spent))

    assert sum(one.count for one in decided.actions if isinstance(one, Launch)) == count
    assert bool(decided.hold) == (count == 0)


def test_a_spent_budget_drains_the_fleet_and_is_said() -> None:
    decided = plan(
        situation(
            demand=100,
            limits=FIVE,
            spent=5.031,
            instances=(instance(0, request="sir-0"), instance(1)),
            requests=(request(0, of="i-0"), request(1, state="open")),
            intents=(intent("old", age=3600),),
            wishes=(Wish(id="w", count=1),),
        )
    )

    assert decided.hold == "the budget of $5.00 is spent"
    assert decided.sentence == (
        "the budget of $5.00 is spent ($5.03): 2 instances may finish what they have begun, "
        "100 tasks in the queue"
    )
    assert [type(one) for one in decided.actions] == [Settle, CancelRequests]
    assert CancelRequests(ids=("sir-0", "sir-1")) in decided.actions
    assert decided.granted == ("w",)


def test_what_is_useless_goes_though_the_job_holds_still() -> None:
    silent = (instance(0, age=10_000),)

    for held in ({"paused": True}, {"limits": FIVE, "spent": 9.0}):
        decided = plan(situation(demand=5, instances=silent, condemned=frozenset({"i-0"}), **held))
        assert Terminate(ids=("i-0",)) in decided.actions


def test_zero_is_a_budget() -> None:
    assert plan(situation(demand=5, limits=replace(LIMITS, budget=0.0))).actions == ()
