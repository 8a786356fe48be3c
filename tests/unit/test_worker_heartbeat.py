"""The worker's sign of life: what the row says, when, and what befalls it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest
from botocore.exceptions import ClientError

from aws_parallelizer.aws.dynamodb import Document, Key
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.core.fleet import Beat, Phase
from aws_parallelizer.worker import heartbeat
from aws_parallelizer.worker.heartbeat import Heartbeat
from aws_parallelizer.worker.offload import Offload
from fakes.table import FakeTable
from pipelines import until_true

NEVER = 1000.0


class Ward:
    """One worker's heartbeat and the table behind it."""

    def __init__(self) -> None:
        self.table = Recording()
        self.registry = Registry(self.table)  # type: ignore[arg-type] - the fake's methods are the table's
        self.heart = Heartbeat(self.registry, job="job", instance="i-1")

    @property
    def row(self) -> Beat:
        found = self.registry.beat("job", "i-1")
        assert found
        return found

    def live(self, story: Callable[[], Awaitable[None]], *, every: float = NEVER) -> None:
        """Let it beat as long as `story` lasts."""

        async def lived() -> None:
            beating = asyncio.create_task(self.heart.keep(Offload(1), every=every))
            try:
                await story()
            finally:
                assert not beating.done()
                beating.cancel()

        asyncio.run(lived())


class Recording(FakeTable):
    """Counts the writes, fails those that a test wants to fail, and holds those up that it wants
    to hang.
    """

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.failures: list[Exception] = []
        self.free = threading.Event()
        self.free.set()

    def write(self, documents: Sequence[Document]) -> list[bool]:
        self.writes += 1
        self.free.wait(20)
        if self.failures:
            raise self.failures.pop(0)
        return super().write(documents)


def throttled() -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException"}}, "PutItem")


def test_a_row_goes_from_starting_to_ended_and_is_written_at_each_change() -> None:
    ward = Ward()
    running = 0

    async def story() -> None:
        nonlocal running
        await until_true(lambda: ward.table.writes == 1)
        assert (ward.row.phase, ward.row.ready, ward.row.slots) == (Phase.STARTING, False, 0)
        running = 3
        ward.heart.takes_tasks(slots=8, running=lambda: running)
        await until_true(lambda: ward.row.phase == Phase.WORKING)
        assert (ward.row.ready, ward.row.slots, ward.row.running) == (True, 8, 3)
        running = 1
        ward.heart.drains("a spot notice")
        await until_true(lambda: ward.row.phase == Phase.DRAINING)
        assert (ward.row.ready, ward.row.running, ward.row.why) == (True, 1, "a spot notice")

    ward.live(story)
    ward.heart.end("the worker ends")
    row = ward.row
    assert (row.phase, row.ready, row.running, row.why) == (
        Phase.ENDED,
        True,
        0,
        "the worker ends",
    )
    assert ward.table.writes == 4
    assert row.started <= row.seen


def test_it_beats_on_while_nothing_changes() -> None:
    ward = Ward()

    async def story() -> None:
        await until_true(lambda: ward.table.writes == 1)
        first = ward.row.seen
        await until_true(lambda: ward.table.writes >= 4)
        assert ward.row.seen > first

    ward.live(story, every=0.01)


@pytest.mark.parametrize("error", [throttled(), RuntimeError("nobody foresaw it")])
def test_a_beat_that_fails_is_logged_and_tried_again_at_the_next(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    ward = Ward()
    ward.table.failures = [error] * 3

    async def story() -> None:
        await until_true(lambda: ward.registry.beat("job", "i-1"))

    with caplog.at_level(logging.WARNING):
        ward.live(story, every=0.01)
    assert ward.table.writes >= 4
    assert caplog.text.count("sign of life") >= 3


def test_a_row_that_was_taken_away_comes_back_with_the_next_beat() -> None:
    ward = Ward()

    async def story() -> None:
        await until_true(lambda: ward.table.writes >= 1)
        del ward.table.documents[Key("beat#job", "i-1")]
        await until_true(lambda: ward.registry.beat("job", "i-1"))

    ward.live(story, every=0.05)


def test_a_worker_that_starts_again_on_its_instance_starts_its_row_anew() -> None:
    ward = Ward()
    ward.heart.takes_tasks(slots=2, running=lambda: 0)
    ward.heart.end("it was parked")
    before = ward.row
    ward.heart = Heartbeat(ward.registry, job="job", instance="i-1")

    async def story() -> None:
        await until_true(lambda: ward.row.phase == Phase.STARTING)

    ward.live(story)
    row = ward.row
    assert (row.ready, row.why, row.version) == (False, "", before.version + 1)
    assert row.started > before.started


def test_the_last_beat_waits_for_nobody_for_long_and_a_late_one_does_not_undo_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "_LAST_SECONDS", 0.05)
    ward = Ward()
    ward.table.free.clear()

    async def story() -> None:
        await until_true(lambda: ward.table.writes == 1)  # and it hangs

    ward.live(story)
    ward.heart.end("the worker ends")
    assert ward.registry.beat("job", "i-1") is None
    ward.table.free.set()
    asyncio.run(until_true(lambda: ward.table.writes == 2))
    asyncio.run(until_true(lambda: ward.row.phase == Phase.ENDED))


def test_without_a_registry_nothing_is_told_and_nothing_fails() -> None:
    heart = Heartbeat(None, job="", instance="i-1")
    asyncio.run(heart.keep(Offload(1), every=NEVER))
    heart.takes_tasks(slots=2, running=lambda: 0)
    heart.end("the worker ends")
