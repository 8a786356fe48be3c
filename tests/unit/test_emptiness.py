"""When a job counts as over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_parallelizer.core.fleet import Intent, Streak
from chalicelib import doubt, emptiness
from chalicelib.emptiness import Reading

START = datetime(2026, 3, 1, tzinfo=UTC)
NOTHING = Reading(
    messages=0, uploads=0, enqueues=0, unsettled_launches=0, wishes=0, open_tasks=False
)


def test_a_reading_with_nothing_anywhere_is_empty() -> None:
    assert NOTHING.empty
    assert not NOTHING.lost


@pytest.mark.parametrize(
    "something",
    [
        {"messages": 1},
        {"uploads": 1},
        {"enqueues": 1},
        {"unsettled_launches": 1},
        {"wishes": 1},
        {"open_tasks": True},
        {"messages": None},
        {"uploads": None},
        {"open_tasks": None},
    ],
    ids=str,
)
def test_anything_left_or_unread_is_not_empty(something: dict[str, object]) -> None:
    assert not replace(NOTHING, **something).empty


@pytest.mark.parametrize("busy", [{"messages": 1}, {"uploads": 1}, {"enqueues": 1}], ids=str)
def test_open_tasks_count_as_lost_only_where_no_message_can_be_on_its_way(
    busy: dict[str, int],
) -> None:
    lost = replace(NOTHING, open_tasks=True)

    assert lost.lost
    assert not replace(lost, **busy).lost


@pytest.mark.parametrize(
    ("counted", "open_tasks", "said"),
    [(3, False, True), (3, True, False), (0, False, False), (None, False, False), (3, None, False)],
)
def test_counts_are_contradicted_by_a_ledger_with_nothing_open(
    counted: int | None, open_tasks: bool | None, said: bool
) -> None:
    assert replace(NOTHING, messages=counted, open_tasks=open_tasks).contradicted is said


def test_contradicted_counts_are_looked_after_by_one_instance_now_and_then() -> None:
    intent = Intent(id="i", job="j", count=1, created=START, call="run_instances", arguments="")
    soon, later = START + timedelta(minutes=59), START + doubt.AGAIN
    for demand, intents, contradicted, now, believed in [
        (5, [], False, START, 5),
        (5, [], True, START, 1),
        (5, [intent], True, soon, 0),
        (5, [intent], True, later, 1),
        (5, [intent], False, soon, 5),
        (0, [], True, START, 0),
        (None, [], True, START, None),
    ]:
        told = doubt.believed(demand, intents, contradicted=contradicted, now=now)
        assert told == believed


@pytest.mark.parametrize(
    ("readings", "seconds", "proof"),
    [(0, 0, False), (2, 200, False), (3, 100, False), (3, 180, True), (9, 900, True)],
)
def test_it_takes_several_readings_over_a_span(readings: int, seconds: int, proof: bool) -> None:
    streak = Streak(readings=readings, since=START if readings else None)
    now = START + timedelta(seconds=seconds)

    assert emptiness.is_proof(streak, readings=3, seconds=180, now=now) is proof


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 6), st.integers(0, 600))
def test_only_an_unbroken_row_of_readings_is_proof(
    said: list[bool], readings: int, seconds: int
) -> None:
    streak, now = Streak(), START
    for each in said:
        now += timedelta(seconds=60)
        streak = emptiness.after(streak, said=each, now=now)

    row = len(said) - max((i + 1 for i, each in enumerate(said) if not each), default=0)
    proof = emptiness.is_proof(streak, readings=readings, seconds=seconds, now=now)
    assert proof == (row >= readings and (row - 1) * 60 >= seconds)
