"""A job's status as a person reads it."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from aws_parallelizer.cli.watching import overview
from aws_parallelizer.core.outcome import State

STATUS = {
    "state": "active",
    "counts": {**dict.fromkeys(State, 0), "queued": 30, "done": 70},
    "instances": [],
    "line": "30 tasks in the queue, 2 of 2 instances there",
    "rate": 2.5,
    "etaSeconds": 12.0,
    "queue": None,
    "spent": 5.031,
    "dollarsPerTask": 0.0719,
    "dollarsPerHour": 0.42,
    "forecast": 6.5,
    "budget": 10.0,
    "budgetLeft": 4.969,
    "unpriced": [],
}


def shown(**changes: Any) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(overview({"job": "photos", "status": {**STATUS, **changes}}))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_costs_are_one_line_in_dollars() -> None:
    assert (
        "$5.03 spent, $0.072 a task, $0.42 an hour now, about $6.50 when all is done, "
        "$4.97 of $10.00 left\n"
    ) in shown()


def test_nothing_is_said_of_costs_that_are_not_known() -> None:
    text = shown(spent=None, dollarsPerTask=None, forecast=None, budgetLeft=None)
    assert "$" not in text


def test_a_cost_that_lacks_a_price_says_which() -> None:
    text = shown(unpriced=["m9.huge"], forecast=None, budget=None)
    assert "at least $5.03 spent" in text
    assert "no price known for m9.huge" in text
    assert "left" not in text


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (2.5, "2.5 tasks a second"),
        (0.5, "30.0 tasks a minute"),
        (0.001, "3.6 tasks an hour"),
    ],
)
def test_a_rate_has_the_unit_that_fits_it(rate: float, said: str) -> None:
    assert said in shown(rate=rate)
