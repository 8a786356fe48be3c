"""How many instances a job is to have, and which launches follow from that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aws_parallelizer.core.fleet import Backoff
from aws_parallelizer.core.job import Wish
from chalicelib import market, planning
from chalicelib.actions import Adopt, Launch, Replay, Settle
from chalicelib.planning import plan
from chalicelib.situation import Limits
from situations import LIMITS, NOW, instance, intent, launched, request, running, situation


@pytest.mark.parametrize(
    ("demand", "slots", "seconds", "most", "want"),
    [
        (0, 2, 60, 10, 0),
        (1, 2, 60, 10, 1),  # at least one where there is work
        (20, 2, 60, 10, 1),  # 20 x 60 s in 600 s on 2 slots
        (21, 2, 60, 10, 2),
        (200, 2, 60, 10, 10),
        (2000, 2, 60, 10, 10),  # never more than maxInstances
        (3, 2, 3600, 10, 2),  # nor more slots than tasks
        (1000, 8, 6, 1000, 2),
        (-5, 2, 60, 10, 0),
        (5, 0, 60, 10, 1),  # a nonsensical number of slots is one
    ],
)
def test_what_is_wanted_follows_the_rule(
    demand: int, slots: int, seconds: float, most: int, want: int
) -> None:
    limits = Limits(max_instances=most, drain_seconds=600, slots=slots, seconds_per_task=seconds)

    assert planning.wanted(demand, limits) == want


@pytest.mark.parametrize(
    ("there", "count"),
    [
        ({}, 5),
        ({"instances": running(2)}, 3),
        ({"instances": (instance(0, state="pending"),)}, 4),
        ({"instances": running(7)}, 0),
        ({"instances": (instance(0, state="stopped"), instance(1, state="shutting-down"))}, 5),
        ({"requests": (request(0, state="open"),)}, 4),
        ({"requests": (request(0, state="closed", kind="one-time"),)}, 5),
        ({"requests": (request(0, state="cancelled"),)}, 5),
        # A replacement is on its way for an ended instance of a persistent request.
        ({"instances": (instance(0, state="terminated"),), "requests": (request(0, of="i-0"),)}, 4),
        # An instance and its request are one, whether or not EC2 shows the instance yet.
        ({"instances": (instance(0, request="sir-0"),), "requests": (request(0, of="i-0"),)}, 4),
        ({"requests": (request(0, of="i-0"),)}, 4),
        # EC2 starts again what it stopped itself, and nothing that was stopped by us.
        ({"requests": (request(0, state="disabled", status="instance-stopped-no-capacity"),)}, 4),
        ({"requests": (request(0, state="disabled", status="instance-stopped-by-user"),)}, 5),
        ({"intents": (intent(count=3),)}, 2),
        ({"intents": (intent(count=3),), "instances": (instance(0, launch="a"),)}, 2),
        ({"intents": (intent(made=("i-8", "i-9")),)}, 3),
        ({"intents": (intent(made=("i-0", "i-9")),), "instances": running(1)}, 3),
        ({"intents": (intent(made=("i-8", "i-9"), age=600),)}, 5),
        ({"intents": (intent(made=()),)}, 5),
    ],
    ids=str,
)
def test_what_is_there_or_on_its_way_is_not_launched_again(
    there: dict[str, object], count: int
) -> None:
    assert launched(plan(situation(demand=100, **there))) == count


def test_a_doomed_one_time_instance_is_replaced_but_counts_against_the_most() -> None:
    doomed = request(0, kind="one-time", status="marked-for-termination", of="i-0")
    there = (instance(0, request="sir-0"), *(instance(number) for number in range(1, 10)))

    full = plan(situation(demand=1000, instances=there, requests=(doomed,)))
    room = plan(situation(demand=1000, instances=there[:9], requests=(doomed,)))

    assert launched(full) == 0
    assert launched(room) == 1


def test_no_more_than_a_step_is_launched_at_a_time() -> None:
    many = replace(LIMITS, max_instances=1000)

    assert launched(plan(situation(demand=100_000, limits=many))) == market.STEP


def test_a_queue_that_could_not_be_read_launches_nothing_and_says_why() -> None:
    decided = plan(situation(demand=None, trouble="the queue could not be read (gone)"))

    assert decided.actions == ()
    assert "the queue could not be read (gone)" in decided.sentence


def test_a_backoff_holds_launches_back_and_says_until_when() -> None:
    backoff = Backoff(
        failures=1,
        until=NOW + timedelta(seconds=120),
        sentence="no spot capacity in 6 of 6 pools",
    )

    decided = plan(situation(demand=100, backoff=backoff))

    assert decided.actions == ()
    assert decided.sentence == "no spot capacity in 6 of 6 pools, next try in 2 min"
    past = replace(situation(demand=100), backoff=Backoff(failures=1, until=NOW))
    assert launched(plan(past)) == 5


def test_a_wish_is_launched_whatever_the_backlog_and_only_once() -> None:
    wish = Wish(id="w", count=3, max_price=0.5)

    first = plan(situation(wishes=(wish,)))
    second = plan(situation(wishes=(wish,), intents=(intent(count=3, wish="w"),)))

    assert first.actions == (Launch(count=3, wish="w", max_price=0.5),)
    assert first.granted == second.granted == ("w",)
    assert launched(second) == 0


def test_a_wish_does_not_exceed_the_most_instances() -> None:
    decided = plan(situation(wishes=(Wish(id="w", count=50),), instances=running(4)))

    assert launched(decided) == 6


def test_a_wish_counts_for_the_backlog_too() -> None:
    decided = plan(situation(demand=100, wishes=(Wish(id="w", count=3),)))

    assert decided.actions == (Launch(count=3, wish="w"), Launch(count=2))


def test_a_launch_without_an_answer_is_sent_again_while_its_token_is_known() -> None:
    young, old = intent("young", age=90), intent("old", age=3600)

    decided = plan(
        situation(demand=10, intents=(young, old), instances=(instance(1, launch="old"),))
    )

    assert decided.actions == (Replay(intent=young), Settle(intent=old, instances=("i-1",)))


def test_a_stopped_job_sends_no_launch_again() -> None:
    decided = plan(situation(stopped=True, intents=(intent(age=90),)))

    assert decided.actions == ()
    assert not decided.finished


def test_replacements_without_tags_are_adopted() -> None:
    decided = plan(situation(demand=10, instances=running(1), untagged=("i-0",)))

    assert Adopt(ids=("i-0",)) in decided.actions
