"""The worker's sign of life: a row of its own in the ledger's table, from its start to its end.

It goes on whatever the slots do, for who reads it takes a silent worker for a lost one. That it
cannot be written is logged and tried again at the next beat; the work never waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.core.errors import Conflict
from aws_parallelizer.core.fleet import Beat, Phase
from aws_parallelizer.worker.offload import Offload

log = logging.getLogger(__name__)

_LAST_SECONDS = 10.0  # that the machine's end waits for the last beat
_MOST_CHARACTERS = 1000  # of why it ended: a sentence, not a program's whole output


class _Row:
    """The row, and its version as it was left; None = it has to be read first."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._version: int | None = None

    def write(self, beat: Beat) -> None:
        """Raises what the registry raises, and Conflict if two tries met other writers."""
        version, self._version = self._version, None
        if version is not None:
            with contextlib.suppress(Conflict):
                self._version = self._put(beat, version)
                return
        # Left by an earlier start of this instance, or taken away as a lost worker's.
        present = self._registry.beat(beat.job, beat.instance)
        self._version = self._put(beat, present.version if present else 0)

    def _put(self, beat: Beat, version: int) -> int:
        return self._registry.put_beat(msgspec.structs.replace(beat, version=version)).version


class Heartbeat:
    """One worker's row. Without a registry there is nobody to tell, and nothing is."""

    def __init__(self, registry: Registry | None, *, job: str, instance: str) -> None:
        now = datetime.now(UTC)
        self._row = _Row(registry) if registry else None
        self._beat = Beat(job=job, instance=instance, started=now, seen=now, phase=Phase.STARTING)
        self._running: Callable[[], int] = lambda: 0
        self._changed = asyncio.Event()
        self._writing = threading.Lock()
        self._is_over = False

    def takes_tasks(self, *, slots: int, running: Callable[[], int]) -> None:
        """It is `working` from now on; `running` says how many slots are in use."""
        self._running = running
        self._turn(phase=Phase.WORKING, ready=True, slots=slots)

    def drains(self, why: str) -> None:
        """It takes no new task."""
        self._turn(phase=Phase.DRAINING, why=why[:_MOST_CHARACTERS])

    async def keep(self, offload: Offload, *, every: float) -> None:
        """Beat at once, at each change, and every so many seconds; for ever."""
        while row := self._row:
            self._changed.clear()
            await offload(self._put, row, self._now())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._changed.wait()

    def end(self, why: str) -> None:
        """The last beat. Blocking, for 10 seconds at most."""
        if not self._row:
            return
        self._running = lambda: 0
        self._turn(phase=Phase.ENDED, why=why[:_MOST_CHARACTERS])
        self._is_over = True
        # A thread that hangs does not keep the process from ending.
        last = threading.Thread(target=self._put, args=(self._row, self._now()), daemon=True)
        last.start()
        last.join(_LAST_SECONDS)

    def _turn(self, **changes: object) -> None:
        self._beat = msgspec.structs.replace(self._beat, **changes)
        self._changed.set()

    def _now(self) -> Beat:
        running = self._running()
        return msgspec.structs.replace(self._beat, seen=datetime.now(UTC), running=running)

    def _put(self, row: _Row, beat: Beat) -> None:
        with self._writing:
            if self._is_over and beat.phase != Phase.ENDED:
                return  # a late one, which would bring the worker back to life
            try:
                row.write(beat)
            except (*SERVICE_ERRORS, Conflict) as error:
                log.warning("the sign of life is not stored, the next may be: %s", error)
            except Exception:
                log.exception("the sign of life is not stored, and nobody foresaw why")
