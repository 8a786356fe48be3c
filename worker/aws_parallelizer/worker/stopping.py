"""How a worker is asked to end, and by whom."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from aws_parallelizer.aws.imds import Imds, ImdsSilent, Notice
from aws_parallelizer.worker.offload import Offload

T = TypeVar("T")
log = logging.getLogger(__name__)

RESERVE_SECONDS = 30.0  # before EC2 takes the machine, to release what is not done
# EC2 gives no longer notice: what seems further ahead is read by a clock that is behind.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
LONGEST_NOTICE_SECONDS = 120.0
# EC2 did not do what an older notice says, and nobody knows whether it ever will. A clock that is
# off by more has no valid signatures.
STALE = timedelta(minutes=15)


class Stop:
    """`hold`: start no task, until `resume`. `drain`: take no new task, for good. `halt`: end the
    running ones, too. The first reason to drain stays.
    """

    def __init__(self) -> None:
        self.holding = asyncio.Event()
        self.resumed = asyncio.Event()
        self.draining = asyncio.Event()
        self.halting = asyncio.Event()
        self.reason = ""
        self.held = ""  # why no task is started, or was not
        self.taken_back = False  # by EC2, in its own time

    @property
    def why(self) -> str:
        """The reason of whatever keeps tasks from running."""
        return self.reason or self.held

    def hold(self, reason: str) -> None:
        """What is leased and not begun goes back, and nothing is leased."""
        if self.holding.is_set():
            return
        log.warning("no task is started: %s", reason)
        self.held = reason
        self.resumed.clear()
        self.holding.set()

    def resume(self) -> None:
        """Tasks may be leased again."""
        if not self.holding.is_set() or self.draining.is_set():
            return
        log.info("tasks are started again")
        self.holding.clear()
        self.resumed.set()

    def drain(self, reason: str) -> None:
        """No new lease."""
        if not self.draining.is_set():
            log.warning("no new task is taken: %s", reason)
            self.reason = reason
        self.draining.set()

    def halt(self, reason: str) -> None:
        """No new lease, and running tasks are released."""
        self.drain(reason)
        self.halting.set()


async def watch_for_notice(
    imds: Imds, stop: Stop, *, offload: Offload, every: float, settle: float
) -> None:
    """Look for a spot notice until there is one; then drain, and halt before the deadline.

    A mere advice to leave only drains: there is no deadline, so what runs is finished. In the first
    `settle` seconds it is not asked for: an instance that left before it had done any work would be
    replaced by one in the same place, and that one by the next.
    """
    settled = time.monotonic() + settle
    look = _Look(imds, offload)
    while True:
        notice = await look.notice()
        if notice:
            break
        if time.monotonic() >= settled and not stop.draining.is_set():
            await look.advice(stop)
        await asyncio.sleep(every)
    reason = f"EC2 takes the instance back ({notice.action} at {notice.at.isoformat()})"
    stop.taken_back = True
    stop.drain(reason)
    await asyncio.sleep(seconds_to_work(notice, now=datetime.now(UTC)))
    stop.halt(reason)


class _Look:
    """Looks at the metadata service; what keeps it from that is logged once until it changes."""

    def __init__(self, imds: Imds, offload: Offload) -> None:
        self._imds = imds
        self._offload = offload
        self._logged = ""

    async def notice(self) -> Notice | None:
        """A notice that EC2 may still follow."""
        found = await self._ask(self._imds.notice)
        if found and datetime.now(UTC) - found.at > STALE:
            self._warn(f"an old spot notice is not heeded: {found.action} at {found.at}")
            return None
        return found

    async def advice(self, stop: Stop) -> None:
        """Heed the advice to leave, if there is one."""
        if await self._ask(self._imds.is_advised_to_leave):
            stop.drain("EC2 may soon take the instance back and advises to leave it")

    async def _ask(self, call: Callable[[], T]) -> T | None:
        try:
            return await self._offload(call)
        except ImdsSilent as error:
            self._warn(f"whether there is a spot notice is not known: {error}")
        except Exception:
            # The next look may have more luck; nobody else would see a notice.
            log.exception("whether there is a spot notice is not known, and nobody foresaw why")
        return None

    def _warn(self, sentence: str) -> None:
        if sentence != self._logged:
            log.warning("%s", sentence)
        self._logged = sentence


def seconds_to_work(notice: Notice, *, now: datetime) -> float:
    """How long tasks may still run: until 30 s before the deadline, or for half of a notice shorter
    than a minute.
    """
    left = min(max(0.0, (notice.at - now).total_seconds()), LONGEST_NOTICE_SECONDS)
    return left - RESERVE_SECONDS if left >= 2 * RESERVE_SECONDS else left / 2
