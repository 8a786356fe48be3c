"""The leases on all tasks in hand, renewed together every third of their span."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping

from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.aws.sqs import MAX_VISIBILITY_SECONDS, Queue
from aws_parallelizer.worker.offload import Offload

log = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0  # at most, after a renewal that failed


class Leases:
    """`hold` a message's handle to have it renewed, `let_go` of it before the queue is told of its
    end.
    """

    def __init__(self, queue: Queue, *, offload: Offload, seconds: int) -> None:
        self._queue = queue
        self._offload = offload
        self._seconds = seconds
        self._taken: dict[str, float] = {}
        self._renewing = asyncio.Lock()

    def hold(self, handle: str, *, taken: float) -> None:
        """Renew it from now on; `taken` is the monotonic time of the receive."""
        self._taken[handle] = taken

    async def let_go(self, handles: Iterable[str]) -> None:
        """Renew them no more; returns when no renewal of theirs is under way."""
        for handle in handles:
            self._taken.pop(handle, None)
        async with self._renewing:
            return

    async def keep(self) -> None:
        """Renew for ever; no error ends it."""
        third = self._seconds / 3
        pause = third
        while True:
            await asyncio.sleep(pause)
            pause = third if await self._renew() else min(AGAIN_SECONDS, third / 4)

    async def _renew(self) -> bool:
        async with self._renewing:
            spans = dict(self._spans())
            if not spans:
                return True
            try:
                holds: Mapping[str, bool] = await self._offload(self._queue.extend, spans)
            except SERVICE_ERRORS as error:
                log.warning("%d leases could not be renewed, tried again: %s", len(spans), error)
                return False
            except Exception:
                # Whatever it was, without a renewal every task in hand would be lost.
                log.exception("%d leases could not be renewed, and nobody foresaw why", len(spans))
                return False
        lost = [handle for handle, held in holds.items() if not held]
        if lost:
            # The ledger decides: it refuses the result if another worker has taken the task over.
            log.warning("%d of %d leases could not be renewed", len(lost), len(spans))
        return not lost

    def _spans(self) -> Iterable[tuple[str, int]]:
        now = time.monotonic()
        for handle, taken in self._taken.items():
            left = int(taken + MAX_VISIBILITY_SECONDS - now) - 1
            if left > 0:
                yield handle, min(self._seconds, left)
