"""A worker of a story, and the programs that it runs."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.worker.attempt import Tools
from aws_parallelizer.worker.claims import Bearer, Claims
from aws_parallelizer.worker.environment import Environment
from aws_parallelizer.worker.leases import Leases
from aws_parallelizer.worker.orphans import Orphans
from aws_parallelizer.worker.patience import Patience
from aws_parallelizer.worker.pipeline import Pipeline
from aws_parallelizer.worker.program import Run
from aws_parallelizer.worker.publishing import Holds, Publishing
from aws_parallelizer.worker.scratch import Scratch
from aws_parallelizer.worker.settlement import Settlement
from aws_parallelizer.worker.slots import Slots
from aws_parallelizer.worker.stopping import Stop
from aws_parallelizer.worker.transcript import Transcript
from aws_parallelizer.worker.verdict import MemoryKills
from fakes.objects import FakeObjects
from fakes.queue import FakeQueue
from fakes.table import FakeTable
from lives.clockwork import StepwiseOffload
from lives.wires import Line, Wire, WiredObjects, WiredQueue, WiredTable

JOB = "job"
SLOTS = 2
_RUN_SECONDS = {"slow": 100.0, "pair": 3.0}


class Programs:
    """In the place of `program.run`. What an input's name begins with says how its program is:
    copy, pair (two outputs), slow (outlives a lease), flaky (fails at first), bad (always fails).

    Each run writes its number beside the input's bytes, so that no two write the same.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._runs: Counter[str] = Counter()

    async def __call__(
        self,
        _command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        transcript: Transcript,
        **_limits: Any,
    ) -> Run:
        key, number = environment["PARALLELIZER_KEY"], next(self._numbers)
        name = key.rpartition("/")[2]
        kind = name.partition("-")[0]
        self._runs[key] += 1
        body = (folder / name).read_bytes()
        seconds = _RUN_SECONDS.get(kind, 1.0)
        await asyncio.sleep(seconds)
        if kind == "bad" or (kind == "flaky" and self._runs[key] == 1):
            return Run(1, seconds, timed_out=False)
        for suffix in ("a", "b") if kind == "pair" else ("a",):
            (folder / f"{name}.{suffix}").write_bytes(b"%s by run %d" % (body, number))
            transcript.out(f"{name}.{suffix}\n".encode())
        return Run(0, seconds, timed_out=False)


class Worker:
    """One worker, from its start until it ends or is killed."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        line: Line,
        queue: FakeQueue,
        table: FakeTable,
        objects: FakeObjects,
        parameters: Parameters,
    ) -> None:
        self.stop = Stop()
        self.wire = Wire(line)
        self.offload = StepwiseOffload()
        self.folder = folder / "tasks"
        wired: Any = WiredQueue(queue, self.wire)
        stored: Any = WiredObjects(objects, self.wire)
        rows: Any = WiredTable(table, self.wire)
        ledger, offload, patience = Ledger(rows), self.offload, Patience()
        given: Any = {"offload": offload, "patience": patience}
        shown = Environment(folder / "environment", frozenset({"run.sh"}), "run.sh", "v1")
        scratch = Scratch(folder, None)
        scratch.sweep()
        leases = Leases(wired, offload=offload, seconds=parameters.visibility_timeout)  # type: ignore[arg-type]
        self._pipeline = Pipeline(
            queue=wired,
            claims=Claims(ledger, Bearer(JOB, "in", name, "v1")),
            tools=Tools(
                objects=stored,
                publishing=Publishing(
                    stored,
                    parameters=parameters,
                    patience=patience,
                    holds=Holds(ledger, **given),
                    owner=None,
                ),
                scratch=scratch,
                shown=shown,
                patience=patience,
                memory_kills=MemoryKills(),
                slots=Slots(SLOTS),
                orphans=Orphans(),
                parameters=parameters,
                path="/bin",
            ),
            leases=leases,
            settlement=Settlement(ledger=ledger, queue=wired, leases=leases, **given),
            stop=self.stop,
            slots=SLOTS,
            offload=offload,  # type: ignore[arg-type]
        )
        self._running = asyncio.create_task(self._pipeline.run())

    @property
    def is_at_work(self) -> bool:
        return self.wire.is_alive and not self._running.done()

    def require_clean_end(self) -> None:
        """Raises what ended it, if that was no decision; it leaves no scratch directory."""
        if self._running.done() and self.wire.is_alive:
            self._running.result()
            left = list(self.folder.iterdir())
            assert not left, f"{left} are left behind"
