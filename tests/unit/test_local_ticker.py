"""The local cloud's clock: reconcile is invoked again and again, whatever it answers."""

from __future__ import annotations

import io
from typing import Any

import pytest

from local.ticker import Ticker
from waiting import until


class FakeLambda:
    """Answers in turn: fine, or with the function's error, or not at all."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.calls = 0

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        answer = self.answers.pop(0) if self.answers else "fine"
        if answer == "silent":
            raise ConnectionError("no answer")
        if answer == "fine":
            return {"Payload": io.BytesIO(b"null")}
        return {"FunctionError": "Unhandled", "Payload": io.BytesIO(answer.encode())}


@pytest.fixture
def said() -> list[str]:
    return []


def ticked(client: FakeLambda, said: list[str], *, times: int) -> None:
    ticker = Ticker(client, function="reconcile", say=said.append, every=0.01)
    try:
        until(lambda: client.calls >= times, seconds=60, what=f"{times} ticks", every=0.01)
    finally:
        ticker.stop()


def test_a_failure_is_said_once_until_there_is_another(said: list[str]) -> None:
    ticked(FakeLambda("bad", "bad", "bad", "worse", "fine", "bad"), said, times=7)
    assert said == ["reconcile failed: bad", "reconcile failed: worse", "reconcile failed: bad"]


def test_no_answer_does_not_end_the_ticks(said: list[str]) -> None:
    ticked(FakeLambda("silent", "silent"), said, times=4)
    assert said == ["reconcile was not invoked: no answer"]
