"""A whole pipeline on fakes: queue, ledger and objects in memory, and real programs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.core import message, task
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.core.task import Task
from aws_parallelizer.worker import environment
from aws_parallelizer.worker.attempt import Tools
from aws_parallelizer.worker.claims import Bearer, Claims
from aws_parallelizer.worker.leases import Leases
from aws_parallelizer.worker.offload import Offload
from aws_parallelizer.worker.orphans import Orphans
from aws_parallelizer.worker.patience import Patience
from aws_parallelizer.worker.pipeline import Pipeline
from aws_parallelizer.worker.publishing import Holds, Publishing
from aws_parallelizer.worker.scratch import Scratch
from aws_parallelizer.worker.settlement import Settlement
from aws_parallelizer.worker.slots import Slots
from aws_parallelizer.worker.stopping import Stop
from aws_parallelizer.worker.verdict import MemoryKills
from fakes.objects import FakeObjects, Kept
from fakes.queue import FakeQueue
from fakes.table import FakeTable
from machines import zipped

JOB = "job"
ETAG = "d41d8cd98f00b204e9800998ecf8427e"


class Plant:
    """One worker's surroundings; `run` gives it a pipeline and lets it work until it ends."""

    def __init__(self, folder: Path, script: str, **parameters: object) -> None:
        self.folder = folder
        self.queue = FakeQueue(longest_poll=0.1)
        self.table = FakeTable()
        self.ledger: Ledger | None = Ledger(self.table)
        self.objects = FakeObjects()
        self.stop = Stop()
        self.script = script
        self.vmstat = Path("/proc/vmstat")  # the kernel's, or a file in its place
        self.at_once: int | None = None  # programs, where these are to be fewer than tasks in hand
        self.parameters = msgspec.structs.replace(
            Parameters(
                environment_zip="env.zip",
                analysis_program="run.sh",
                input_bucket="in",
                output_bucket="out",
                input_prefix="data/",
                output_prefix="results/",
                idle_timeout=0.3,  # type: ignore[arg-type] - or the tests take minutes
                visibility_timeout=30,
            ),
            **parameters,
        )

    def put(self, key: str, body: bytes = b"", *, messages: int = 1) -> None:
        """An object, its row, and its messages."""
        self.objects.kept["in", key] = Kept(body)
        sent = Message(job=JOB, bucket="in", key=key, etag=ETAG, size=len(body))
        row = task.enqueue(None, sent, sequencer="", now=datetime.now(UTC))
        assert row is not None
        if self.ledger:
            self.ledger.write([row])
        self.queue.send([message.encode(sent)] * messages)

    def row(self, key: str) -> Task:
        assert self.ledger
        return self.ledger.get(JOB, key)

    def output(self, key: str) -> bytes:
        return self.objects.kept["out", key].body

    def run(
        self,
        *,
        slots: int = 2,
        seconds: float = 20,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> str:
        """Why the pipeline ended."""

        async def story() -> str:
            async with asyncio.timeout(seconds):
                pipeline = self._pipeline(slots)
                self.tally = pipeline.tally
                running = asyncio.create_task(pipeline.run())
                if meanwhile:
                    await meanwhile()
                return await running

        try:
            return asyncio.run(story())
        finally:
            self.stop = Stop()  # each belongs to one loop

    @property
    def left(self) -> list[Path]:
        """Scratch directories that were not removed."""
        return list((self.folder / "scratch" / "tasks").iterdir())

    def _pipeline(self, slots: int) -> Pipeline:
        offload = Offload(6)
        patience = Patience(seconds=5, pause=0.01)
        scratch = Scratch(self.folder / "scratch", None)
        scratch.sweep()
        scratch.archive.write_bytes(zipped({"run.sh": f"#!/bin/sh\n{self.script}\n"}))
        shown = environment.unpack(
            scratch.archive, into=scratch.environment, prefix="", program="run.sh", version="v1"
        )
        # The fakes have the methods of what they stand for, held to it by the contract tests.
        queue: Any = self.queue
        objects: Any = self.objects
        leases = Leases(queue, offload=offload, seconds=self.parameters.visibility_timeout)
        return Pipeline(
            queue=queue,
            claims=Claims(self.ledger, Bearer(JOB, "in", "i-1", "v1")),
            tools=Tools(
                objects=objects,
                publishing=Publishing(
                    objects,
                    parameters=self.parameters,
                    patience=patience,
                    holds=Holds(self.ledger, offload=offload, patience=patience),
                    owner=scratch.owner,
                ),
                scratch=scratch,
                shown=shown,
                patience=patience,
                memory_kills=MemoryKills(self.vmstat),
                slots=Slots(self.at_once or slots),
                orphans=Orphans(),
                parameters=self.parameters,
                path="/usr/local/bin:/usr/bin:/bin",
            ),
            leases=leases,
            settlement=Settlement(
                ledger=self.ledger,
                queue=queue,
                leases=leases,
                offload=offload,
                patience=patience,
            ),
            offload=offload,
            stop=self.stop,
            slots=slots,
        )


async def until_true(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait on the loop for a condition."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)
