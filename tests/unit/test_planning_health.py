"""Which instances count: those that work, boot or come, and none that only cost."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from aws_parallelizer.core.fleet import Phase
from chalicelib.actions import CancelRequests, Launch, Terminate
from chalicelib.health import SIGN_OF_LIFE
from chalicelib.holdings import DOOM, OVERDUE
from chalicelib.planning import plan
from situations import NOW, beat, instance, intent, launched, mark, request, situation

BOOT = SIGN_OF_LIFE.total_seconds()
OLD = 10_000.0


@pytest.mark.parametrize(
    ("there", "counts"),
    [
        ({"instances": (instance(0, age=BOOT - 1),)}, True),  # booting
        ({"instances": (instance(0, age=BOOT),)}, False),  # never booted
        ({"instances": (instance(0, age=OLD),), "beats": (beat(0),)}, True),
        ({"instances": (instance(0, age=OLD),), "beats": (beat(0, ago=BOOT),)}, False),  # silent
        ({"instances": (instance(0, age=OLD),), "beats": (beat(0, ready=False),)}, False),
        ({"instances": (instance(0, age=60),), "beats": (beat(0, ready=False),)}, True),
        (
            {"instances": (instance(0, age=OLD),), "beats": (beat(0, phase=Phase.DRAINING),)},
            False,
        ),
        ({"instances": (instance(0, age=OLD),), "beats": (beat(0, phase=Phase.ENDED),)}, False),
        # The beat is from before it was stopped and started again: it boots anew.
        ({"instances": (instance(0, age=60),), "beats": (beat(0, ago=OLD),)}, True),
        (
            {
                "instances": (instance(0, age=60),),
                "beats": (beat(0, ago=OLD, phase=Phase.ENDED),),
            },
            True,
        ),
        ({"instances": (instance(0),), "marks": (mark(0),)}, False),  # doomed
        ({"instances": (instance(0),), "marks": (mark(0, action="stop"),)}, False),
        ({"instances": (instance(0),), "marks": (mark(0, action="rebalance"),)}, True),
        ({"instances": (instance(0),), "marks": (mark(1),)}, True),  # another's
        # What was marked long ago and still runs was not taken.
        ({"instances": (instance(0),), "marks": (mark(0, ago=DOOM.total_seconds()),)}, True),
        # On-demand, though spot was asked for.
        (
            {
                "instances": (instance(0, spot=False, launch="a"),),
                "intents": (intent(made=("i-0",)),),
            },
            False,
        ),
        (
            {
                "instances": (instance(0, spot=False, launch="a"),),
                "intents": (intent(made=("i-0",), on_demand=True),),
            },
            True,
        ),
        ({"instances": (instance(0, spot=False),)}, True),  # a person launched it
    ],
    ids=str,
)
def test_an_instance_counts_as_capacity_while_it_works_or_may_soon(
    there: dict[str, object], counts: bool
) -> None:
    s = situation(demand=100, **there)

    assert s.holdings.capacity == int(counts)
    assert launched(plan(s)) == 5 - int(counts)


def test_a_draining_worker_is_busy_and_stays() -> None:
    s = situation(
        demand=100,
        instances=(instance(0, age=OLD),),
        beats=(beat(0, phase=Phase.DRAINING),),
        condemned=frozenset({"i-0"}),
    )

    assert not [one for one in plan(s).actions if isinstance(one, Terminate)]


@pytest.mark.parametrize(
    "there",
    [
        {"instances": (instance(0, age=OLD),)},
        {"instances": (instance(0, age=OLD),), "beats": (beat(0, ago=OLD - 60),)},
        {"instances": (instance(0, age=OLD),), "beats": (beat(0, phase=Phase.ENDED),)},
        {"instances": (instance(0, state="stopped"),)},
        {
            "instances": (instance(0, spot=False, launch="a"),),
            "intents": (intent(made=("i-0",)),),
        },
    ],
    ids=["never worked", "silent", "ended", "stopped for good", "on demand"],
)
def test_what_does_nothing_for_its_money_is_terminated_when_two_readings_say_so(
    there: dict[str, object],
) -> None:
    assert Terminate(ids=("i-0",)) not in plan(situation(demand=10, **there)).actions

    condemned = plan(situation(demand=10, condemned=frozenset({"i-0"}), **there))

    assert Terminate(ids=("i-0",)) in condemned.actions


def test_the_request_of_a_useless_instance_is_cancelled_before_it_is_terminated() -> None:
    there = {
        "demand": 10,
        "condemned": frozenset({"i-0"}),
        "instances": (instance(0, age=OLD, request="sir-0"), instance(1, age=OLD, request="sir-1")),
        "beats": (beat(1),),
    }
    live = (request(0, of="i-0"), request(1, of="i-1"))
    cancelled = (request(0, state="cancelled", of="i-0"), request(1, of="i-1"))

    first = plan(situation(requests=live, **there))
    second = plan(situation(requests=cancelled, **there))

    assert CancelRequests(ids=("sir-0",)) in first.actions
    assert not [one for one in first.actions if isinstance(one, Terminate)]
    assert Terminate(ids=("i-0",)) in second.actions


def test_one_that_gives_a_sign_of_life_again_is_spared() -> None:
    s = situation(
        demand=10, instances=(instance(0, age=OLD),), beats=(beat(0),), condemned=frozenset({"i-0"})
    )

    assert plan(s).actions == ()


def waiting(seconds: float) -> dict[str, datetime]:
    return {"sir-0": NOW - timedelta(seconds=seconds)}


def test_a_request_that_waits_too_long_for_an_instance_is_given_up_for_a_launch() -> None:
    long = OVERDUE.total_seconds()
    there = {"demand": 10, "requests": (request(0, state="open"),)}

    young = plan(situation(waiting_since=waiting(long - 1), **there))
    old = plan(situation(waiting_since=waiting(long), **there))

    assert young.actions == ()
    assert old.actions == (CancelRequests(ids=("sir-0",)), Launch(count=1))


def test_a_request_that_waits_too_long_is_left_where_nothing_is_missing() -> None:
    s = situation(demand=0, requests=(request(0, state="open"),), waiting_since=waiting(OLD))

    assert plan(s).actions == ()
