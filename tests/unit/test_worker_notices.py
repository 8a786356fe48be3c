"""Whoever watches for a spot notice goes on watching, whatever it sees."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from aws_parallelizer.aws.imds import ImdsSilent, Notice
from aws_parallelizer.worker.offload import Offload
from aws_parallelizer.worker.stopping import Stop, watch_for_notice
from pipelines import until_true

Answer = Notice | Exception | None


class FakeImds:
    """`aws.imds.Imds`; the last of `notices` and of `advice` stays."""

    def __init__(self, *notices: Answer) -> None:
        self.notices = list(notices)
        self.advice: list[bool | Exception] = [False]
        self.looks = 0

    def notice(self) -> Notice | None:
        self.looks += 1
        found = self.notices.pop(0) if len(self.notices) > 1 else self.notices[0]
        if isinstance(found, Exception):
            raise found
        return found

    def is_advised_to_leave(self) -> bool:
        found = self.advice.pop(0) if len(self.advice) > 1 else self.advice[0]
        if isinstance(found, Exception):
            raise found
        return found


def watched(imds: FakeImds, until: Callable[[Stop], object]) -> Stop:
    """The state of things when `until` holds."""
    stop = Stop()

    async def story() -> None:
        watching = asyncio.create_task(
            watch_for_notice(
                imds,  # type: ignore[arg-type]
                stop,
                offload=Offload(1),
                every=0.001,
                settle=0,
            )
        )
        await until_true(lambda: until(stop) or watching.done())
        watching.cancel()

    asyncio.run(story())
    return stop


def notice(minutes: float) -> Notice:
    return Notice("terminate", datetime.now(UTC) + timedelta(minutes=minutes))


@pytest.mark.parametrize("error", [ImdsSilent("HTTP 500"), KeyError("x"), ValueError("y")])
def test_no_error_ends_the_watch(error: Exception) -> None:
    stop = watched(FakeImds(error, error, notice(0)), lambda stop: stop.halting.is_set())
    assert stop.taken_back
    assert stop.halting.is_set()


def test_no_error_ends_the_watch_for_advice() -> None:
    imds = FakeImds(None)
    imds.advice = [ImdsSilent("HTTP 500"), RuntimeError("x"), True]
    stop = watched(imds, lambda stop: stop.draining.is_set())
    assert "advises to leave" in stop.reason
    assert not stop.taken_back


def test_an_old_notice_is_said_once_and_not_heeded(caplog: pytest.LogCaptureFixture) -> None:
    imds = FakeImds(notice(-60))
    with caplog.at_level(logging.INFO):
        stop = watched(imds, lambda _stop: imds.looks > 5)
    assert not stop.draining.is_set()
    assert not stop.taken_back
    [line] = caplog.messages
    assert line.startswith("an old spot notice is not heeded: terminate at 20")


def test_a_notice_that_is_late_by_minutes_is_heeded() -> None:
    stop = watched(FakeImds(notice(-5)), lambda stop: stop.halting.is_set())
    assert stop.taken_back


def test_a_metadata_service_that_stays_silent_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    imds = FakeImds(ImdsSilent("HTTP 500"))
    with caplog.at_level(logging.INFO):
        watched(imds, lambda _stop: imds.looks > 5)
    assert len(caplog.messages) == 1
