"""Retries of failed tasks, on the fakes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from aws_parallelizer.core import attempts
from aws_parallelizer.core.enqueue import Retry as Wanted
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.core.task import Ended
from chalicelib import retrying, status
from chalicelib.steps import Retry
from desks import Desk


def fail(desk: Desk, *keys: str, outcome: Outcome = Outcome.PROGRAM_ERROR) -> None:
    """Tasks that have ended so, by now; their messages are gone."""
    new = [key for key in keys if key not in desk.context.ledger.get_many("job", keys)]
    desk.world.enqueue(*new, send=False)
    ended = Ended(outcome=outcome, reason="why")
    rows = [
        attempts.end(desk.world.row(key), ended, max_attempts=1, now=desk.world.ec2.now)
        for key in keys
    ]
    assert all(desk.context.ledger.write(rows))


def begin(desk: Desk, *, run: str = "r1", prefix: str = "", **wanted: Any) -> Retry:
    desk.world.ec2.now += timedelta(seconds=1)
    return retrying.start(desk.context, "job", run=run, prefix=prefix, wanted=Wanted(**wanted))


def pending(desk: Desk) -> list[Retry]:
    return desk.take_steps(Retry)


def finish(desk: Desk) -> int:
    return desk.finish(Retry, retrying.carry_on)


def told(desk: Desk) -> dict[str, Any]:
    found = status.full(desk.context, desk.world.registry.job("job"))["retry"]
    assert found
    return dict(found)


def sent(desk: Desk) -> list[str]:
    return sorted(one.key for one in desk.sent())


def let_time_pass(desk: Desk, monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> None:
    """Each stretch takes so long."""
    stretch = desk.context.ledger.stretch

    def slow(*arguments: Any, **named: Any) -> Any:
        desk.world.ec2.now += timedelta(seconds=seconds)
        return stretch(*arguments, **named)

    monkeypatch.setattr(desk.context.ledger, "stretch", slow)


def states(desk: Desk, keys: Iterable[str]) -> set[State]:
    return {desk.world.row(key).state for key in keys}


KEYS = [f"job/{number:03}" for number in range(40)]
