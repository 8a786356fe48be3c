"""One story of a few workers: what befalls them, event after event, and then calm until all tasks
have ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from unittest import mock

import msgspec

from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.core import message, task
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import ENDED, OPEN, State
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.worker import program
from fakes.objects import Kept
from lives.clockwork import VirtualLoop
from lives.wires import Line
from lives.witness import WatchedObjects, WatchedQueue, WatchedTable
from lives.worker import JOB, Programs, Worker

MAX_ATTEMPTS = 3
AT_WORK = 2  # workers, at least, while there is work
_STEP_SECONDS = 5
_LONGEST_SECONDS = 48 * 3600
PARAMETERS = msgspec.structs.replace(
    Parameters(environment_zip="env.zip", analysis_program="run.sh"),
    input_bucket="in",
    output_bucket="out",
    input_prefix="data/",
    output_prefix="results/",
    visibility_timeout=30,
    idle_timeout=60,
    max_attempts=MAX_ATTEMPTS,
)


class Broken(AssertionError):
    """An invariant does not hold."""


class Event(Protocol):
    """Something that befalls the workers."""

    async def befall(self, story: Story) -> None: ...


class Story:
    """The services, and the workers one after another."""

    def __init__(self, loop: VirtualLoop, folder: Path) -> None:
        self.loop = loop
        self._folder = folder
        self.objects = WatchedObjects()
        self.table = WatchedTable(self.objects, max_attempts=MAX_ATTEMPTS)
        self.queue = WatchedQueue(clock=loop.time)
        self.objects.table = self.queue.table = self.table
        self.line = Line(loop.time)
        self.workers: list[Worker] = []
        self._sequence = itertools.count(1)
        self._bodies: dict[str, bytes] = {}
        self._ledger = Ledger(self.table)  # type: ignore[arg-type]

    def at_work(self) -> list[Worker]:
        return [each for each in self.workers if each.is_at_work]

    def one(self, which: int) -> Worker | None:
        """One of those at work."""
        found = self.at_work()
        return found[which % len(found)] if found else None

    def start(self) -> None:
        """Another worker, on an instance of its own."""
        number = len(self.workers) + 1
        self.workers.append(
            Worker(
                f"i-{number}",
                self._folder / str(number),
                line=self.line,
                queue=self.queue,
                table=self.table,
                objects=self.objects,
                parameters=PARAMETERS,
            )
        )

    async def wait(self, seconds: float) -> None:
        """Time passes; while there is work, somebody sees to it."""
        end = self.loop.time() + seconds
        while True:
            if self.queue.counts().total and len(self.at_work()) < AT_WORK:
                self.start()
            left = end - self.loop.time()
            if left <= 0:
                return
            await asyncio.sleep(min(left, _STEP_SECONDS))

    def upload(self, key: str, *, late: float = 0, times: int = 1, same: bool = False) -> None:
        """A new object, or a newer one, of the `same` bytes or of others; its event comes so late,
        and so many times.
        """
        number = next(self._sequence)
        body = f"{key} #{number}".encode()
        body = self._bodies.get(key, body) if same else body
        self._bodies[key] = body
        self.objects.kept["in", key] = Kept(body)
        sent = self._message(key, body)
        for after in [late + time for time in range(times)]:
            if after:
                self.loop.call_later(after, self._told, sent, f"{number:04x}")
            else:
                self._told(sent, f"{number:04x}")

    def _told(self, sent: Message, sequencer: str) -> None:
        """As `on_upload` does."""
        rows = self._ledger.get_many(JOB, [sent.key])
        row = task.enqueue(rows.get(sent.key), sent, sequencer=sequencer, now=datetime.now(UTC))
        if row is not None:
            assert self._ledger.write([row]) != [None]
            self.queue.send([message.encode(sent)])

    def _list(self) -> None:
        """As reconcile does when the work seems over."""
        now, rows = datetime.now(UTC), self.table.rows()
        for (bucket, key), kept in list(self.objects.kept.items()):
            if bucket == "in":
                sent = self._message(key, kept.body)
                row = task.enqueue_untold(rows.get(key), sent, modified=now, now=now)
                if row is not None:
                    assert self._ledger.write([row]) != [None]
                    self.queue.send([message.encode(sent)])

    def _message(self, key: str, body: bytes) -> Message:
        etag = hashlib.md5(body).hexdigest()
        return Message(job=JOB, bucket="in", key=key, etag=etag, size=len(body))

    async def tell(self, events: Iterable[Event]) -> None:
        """Let it happen, then be calm; raises Broken."""
        for event in events:
            await event.befall(self)
            self._look()
        self.line.plan.clear()
        self.line.storms.clear()
        await self._calm()
        self._list()
        await self._calm()
        self._see_to_the_end()
        self._look()

    async def _calm(self) -> None:
        end = self.loop.time() + _LONGEST_SECONDS
        await self.wait(600)  # for all events to be told
        while self.queue.counts().total or self.at_work():
            if self.loop.time() > end:
                raise Broken(f"no end: {self.table.rows()}, {self.queue.visible}")
            await self.wait(_STEP_SECONDS)

    def _look(self) -> None:
        for worker in self.workers:
            worker.require_clean_end()
        if self.table.broken:
            raise Broken("; ".join(self.table.broken))

    def _see_to_the_end(self) -> None:
        for key, row in self.table.rows().items():
            there = self.objects.kept.get(("in", key))
            if row.state in OPEN:
                raise Broken(f"{key} is {row.state}, and has no message")
            assert row.state in ENDED
            if row.state == State.DONE:
                self.table.require_kept(row)
                self._require_newest(key)
            if row.state == State.DONE and "bad" in key:
                raise Broken(f"{key} is done, and its program fails")
            if row.state == State.FAILED and row.attempts != MAX_ATTEMPTS:
                raise Broken(f"{key} failed after {row.attempts} attempts")
            if row.state == State.SKIPPED and there:
                raise Broken(f"{key} was skipped, and its object is there")

    def _require_newest(self, key: str) -> None:
        row, there = self.table.rows()[key], self.objects.kept.get(("in", key))
        if there is None:
            return
        made = [self.objects.kept["out", each.key].body for each in row.outputs]
        if not made or len(set(made)) > 1 or not made[0].startswith(there.body + b" by run "):
            raise Broken(f"{key} is done, and its outputs are {made}; its object is {there.body!r}")


def tell(*events: Event) -> Story:
    """A story from its beginning to its end."""
    random.seed(0)
    loop = VirtualLoop()
    with ExitStack() as stack:
        # Not the disk, lest thousands of stories wear it out.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_memory())))
        stack.enter_context(mock.patch("time.monotonic", loop.time))
        stack.enter_context(mock.patch.object(program, "run", Programs()))
        stack.callback(loop.close)
        story = Story(loop, folder)
        try:
            loop.run_until_complete(story.tell(events))
        finally:
            _end(story)
    return story


def _end(story: Story) -> None:
    for worker in story.workers:
        for strand in worker.offload.strands:
            strand.kill()
    while left := asyncio.all_tasks(story.loop):
        for each in left:
            each.cancel()
        story.loop.run_until_complete(asyncio.wait(left, timeout=1))
        for worker in story.workers:
            for strand in worker.offload.strands:
                strand.kill()


def _memory() -> str | None:
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() else None
