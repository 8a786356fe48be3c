"""The end of an attempt: first the ledger, then the queue, both in batches.

A crash in between leads to a repeat, whose claim finds the task ended and drops the message: never
to a loss.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Sequence
from typing import NamedTuple

from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.aws.sqs import BATCH, Queue
from aws_parallelizer.core import attempts
from aws_parallelizer.core.outcome import State
from aws_parallelizer.core.task import Task
from aws_parallelizer.worker.batches import Batches
from aws_parallelizer.worker.leases import Leases
from aws_parallelizer.worker.offload import Offload
from aws_parallelizer.worker.patience import Patience

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.25  # a call costs as much CPU for one task as for ten; no slot waits for it


class Closing(NamedTuple):
    """A row as `attempts.end` made it, and the handle of the message behind it."""

    row: Task
    handle: str


class Settlement:
    """`await settlement(closing)`: whether the ledger took it. False = another worker has the task,
    or nobody knows.
    """

    def __init__(
        self,
        *,
        ledger: Ledger | None,
        queue: Queue,
        leases: Leases,
        offload: Offload,
        patience: Patience,
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._leases = leases
        self._offload = offload
        self._patience = patience
        self._batches = Batches(self._settle, size=BATCH, pause=_PAUSE_SECONDS)

    def __call__(self, closing: Closing) -> asyncio.Future[bool]:
        """Hand an ended attempt over."""
        return self._batches(closing)

    async def drop(self, handles: Sequence[str]) -> None:
        """Delete messages that stand for no work."""
        await self._tell_queue(list(handles), {})

    async def release(self, handles: Sequence[str]) -> None:
        """Give messages back at once."""
        await self._tell_queue([], dict.fromkeys(handles, 0))

    async def _settle(self, closings: Sequence[Closing]) -> list[bool]:
        taken = await self._write(closings)
        await self._leases.let_go([closing.handle for closing in closings])
        accepted = [closing for closing, was in zip(closings, taken, strict=True) if was]
        again = {
            closing.handle: int(attempts.retry_delay(closing.row).total_seconds())
            for closing in accepted
            if closing.row.state == State.QUEUED
        }
        over = [closing.handle for closing in accepted if closing.handle not in again]
        await self._tell_queue(over, again)
        return taken

    async def _write(self, closings: Sequence[Closing]) -> list[bool]:
        ledger = self._ledger
        if ledger is None:
            return [True] * len(closings)
        rows = [closing.row for closing in closings]
        try:
            return [row is not None for row in await self._offload(ledger.write, rows)]
        except Exception as error:  # noqa: BLE001 - it will be raised again for the row it is of
            # One bad row must not hold up the others, nor one bad moment any: each by itself.
            log.warning("%d rows could not be written together: %r", len(rows), error)
        return list(await asyncio.gather(*(self._write_one(ledger, row) for row in rows)))

    async def _write_one(self, ledger: Ledger, row: Task) -> bool:
        call = functools.partial(self._offload, ledger.write, [row])
        try:
            [stored] = await self._patience(call, what=f"ledger write of {row.key!r:.200}")
        except Exception:
            # The message stays; when its lease runs out, another attempt does the work again.
            fields = {"key": row.key}
            log.exception("a task's end could not be recorded", extra={"fields": fields})
            return False
        return stored is not None

    async def _tell_queue(self, over: Sequence[str], again: dict[str, int]) -> None:
        try:
            if over:
                call = functools.partial(self._offload, self._queue.delete, over)
                await self._patience(call, what=f"deletion of {len(over)} messages")
            if again:
                extend = functools.partial(self._offload, self._queue.extend, again)
                await self._patience(extend, what=f"release of {len(again)} messages")
        except SERVICE_ERRORS:
            # The messages come back when their leases run out; the ledger knows what they are
            # worth.
            log.exception("the queue could not be told of %d messages", len(over) + len(again))
