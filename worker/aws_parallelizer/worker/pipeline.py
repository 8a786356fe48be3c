"""The pipeline: lease, claim, and for each task prepare, run, store, close; until idle or asked to
stop. How much is leased at a time, `gauge` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
import time
from collections.abc import Collection, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.aws.sqs import Queue, Received, is_gone
from aws_parallelizer.core import attempts
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.core.task import Ended, Task
from aws_parallelizer.worker import attempt, results
from aws_parallelizer.worker.attempt import Tools
from aws_parallelizer.worker.claims import Claims
from aws_parallelizer.worker.gauge import Gauge
from aws_parallelizer.worker.leases import Leases
from aws_parallelizer.worker.metrics import Tally
from aws_parallelizer.worker.offload import Offload
from aws_parallelizer.worker.patience import jittered
from aws_parallelizer.worker.settlement import Closing, Settlement
from aws_parallelizer.worker.slots import at_once
from aws_parallelizer.worker.stopping import Stop
from aws_parallelizer.worker.work import BEFORE_THE_END_OF_RUNNING, NOT_BEGUN, Phase, Work

log = logging.getLogger(__name__)

# A long poll that outlives its worker takes a message along until the lease runs out: so polls are
# not SQS's longest.
POLL_SECONDS = 5
_HALT_SECONDS = 8.0  # for programs to end and uploads to finish, before uploads are cancelled too
_CLOSING_SECONDS = 18.0  # then, to tell ledger and queue; so that 30 s are enough for all
_FAILED_POLL_SECONDS = 2.0
_UNANSWERED_SECONDS = 600  # no answer is not "nothing there", but an idle instance costs money
_LATE_POLL_SECONDS = 3


class QueueGone(Exception):
    """There is no such queue."""


class Pipeline:
    """One worker's work; `run` it once."""

    def __init__(
        self,
        *,
        queue: Queue,
        claims: Claims,
        tools: Tools,
        leases: Leases,
        settlement: Settlement,
        offload: Offload,
        stop: Stop,
        slots: int,
    ) -> None:
        self._queue = queue
        self._claims = claims
        self._tools = tools
        self._parameters = tools.parameters
        self._leases = leases
        self._settlement = settlement
        self._offload = offload
        self._stop = stop
        self._slots = slots
        self._gauge = Gauge(slots)
        self.tally = Tally()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._carrying: dict[Work, asyncio.Task[None]] = {}
        self._busy_at = time.monotonic()
        self._polling: asyncio.Future[list[Received]] | None = None
        self._gone: Exception | None = None

    @property
    def running(self) -> int:
        """How many programs run."""
        return self._gauge.running

    @property
    def works(self) -> Collection[Work]:
        """All tasks in hand."""
        return self._gauge.works

    async def run(self) -> str:
        """Work until there is no more, or until stopped; why it ended. Raises QueueGone."""
        keeping = asyncio.create_task(self._leases.keep())
        waking = asyncio.create_task(self._drain())
        holding = asyncio.create_task(self._hold())
        halting = asyncio.create_task(self._halt())
        working = asyncio.create_task(self._work())
        try:
            await asyncio.wait((working, halting), return_when=asyncio.FIRST_COMPLETED)
            why = working.result() if working.done() else self._leave()
        finally:
            for helper in (working, keeping, waking, holding, halting):
                helper.cancel()
            await asyncio.to_thread(self._tools.scratch.close)
        if self._gone:
            raise QueueGone(why) from self._gone
        return why

    async def _work(self) -> str:
        why = await self._fetch()
        while self._tasks:
            await asyncio.wait(self._tasks)
        return why

    def _leave(self) -> str:
        for carrying in self._tasks:
            carrying.cancel()
        # Whatever does not answer, an end is to come in bounded time.
        log.error(
            "%d tasks come back when their leases run out: the ledger or the queue does not answer",
            self._gauge.held,
        )
        return self._stop.reason

    async def _drain(self) -> None:
        await self._stop.draining.wait()
        self._changed.set()
        await asyncio.sleep(POLL_SECONDS + _LATE_POLL_SECONDS)
        if self._polling:
            self._polling.cancel()

    async def _fetch(self) -> str:
        while await self._until_room():
            taken = time.monotonic()
            received = await self._receive()
            if self._stop.draining.is_set() or self._stop.holding.is_set():
                await self._settlement.release([each.handle for each in received or ()])
            elif received:
                self._gauge.claiming += len(received)
                self._spawn(self._admit(received, taken))
            elif received is None and self._is_idle(_UNANSWERED_SECONDS):
                return f"the queue gave no answer for {_UNANSWERED_SECONDS} s"
            elif received is not None and self._is_idle(self._parameters.idle_timeout):
                return f"the queue had nothing for {self._parameters.idle_timeout} s"
        idle = f"{self._stop.held}, and for {self._parameters.idle_timeout} s there was no work"
        return self._stop.reason or idle

    async def _until_room(self) -> bool:
        """Whether to ask the queue; False when the worker is to end."""
        while not self._stop.draining.is_set():
            holding = self._stop.holding.is_set()
            if holding and self._is_idle(self._parameters.idle_timeout):
                return False
            if self._gauge.room() and not holding:
                return True
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._longest_rest() if holding else None):
                    await self._changed.wait()
        return False

    def _longest_rest(self) -> float | None:
        return None if self._gauge.held else self._idle_left()

    def _idle_left(self) -> float:
        return self._busy_at + self._parameters.idle_timeout - time.monotonic()

    async def _receive(self) -> list[Received] | None:
        self._polling = self._offload(
            self._queue.receive,
            self._gauge.room(),
            wait_seconds=max(1, min(POLL_SECONDS, math.ceil(self._idle_left()))),
            lease_seconds=self._parameters.visibility_timeout,
        )
        await asyncio.wait((self._polling,))
        if self._polling.cancelled():
            return None  # it hangs, and the worker has to end
        try:
            return self._polling.result()
        except SERVICE_ERRORS as error:
            if is_gone(error):
                self._gone = error
                self._stop.drain(f"the queue is gone: {error}")
                return None
            log.warning("the queue cannot be asked: %s", error)
        except Exception:
            # What was received in it comes again.
            log.exception("the queue's answer makes no sense")
        await asyncio.sleep(jittered(_FAILED_POLL_SECONDS))
        return None

    def _is_idle(self, seconds: float) -> bool:
        return not self._gauge.held and time.monotonic() - self._busy_at >= seconds

    async def _admit(self, received: Sequence[Received], taken: float) -> None:
        for each in received:
            self._leases.hold(each.handle, taken=taken)
        idle = {each.handle for each in received}
        try:
            call = functools.partial(self._offload, self._claims.claim, received)
            claimed = await self._tools.patience(call, what=f"claim of {len(received)} tasks")
        except SERVICE_ERRORS:
            # Their leases run out, and whoever gets them then may have more luck.
            log.exception("%d tasks could not be claimed", len(received))
            return
        else:
            for each, row in claimed.starts:
                idle.discard(each.handle)
                self._start(row, handle=each.handle, taken=taken)
        finally:
            self._gauge.claiming -= len(received)
            self._changed.set()
            await self._leases.let_go(idle)
        await self._settlement.drop([each.handle for each in claimed.drops])

    def _start(self, row: Task, *, handle: str, taken: float) -> None:
        limit = self._parameters.max_attempts
        work = Work(
            task=row,
            handle=handle,
            taken=taken,
            at_once=at_once(row, slots=self._slots, max_attempts=limit),
            notify=self._note,
        )
        self._gauge.add(work)
        self._carrying[work] = self._spawn(self._carry(work))

    def _note(self, work: Work) -> None:
        self._gauge.note(work)
        self._changed.set()

    async def _carry(self, work: Work) -> None:
        try:
            ended = await self._attempt(work)
            work.enter(Phase.CLOSING)
            limit = self._parameters.max_attempts
            row = results.row_after(work, ended, max_attempts=limit, now=datetime.now(UTC))
            accepted = await self._settlement(Closing(row, work.handle))
            results.report(work, ended, row, accepted=accepted)
            self.tally.add(work, ended, accepted=accepted)
            if ended.exit_code is not None and ended.seconds is not None:
                self._gauge.ran(ended.seconds)
            # What was put back for later is work that is still to come.
            self._stay_busy(attempts.retry_delay(row) if row.state == State.QUEUED else timedelta())
        except Exception:
            # The slot survives; the message comes back when its lease runs out.
            log.exception("the task was given up", extra={"fields": work.fields})
        finally:
            self._gauge.remove(work)
            self._carrying.pop(work, None)
            self._stay_busy(timedelta())
            self._changed.set()
            await self._leases.let_go([work.handle])

    async def _attempt(self, work: Work) -> Ended:
        if not (self._stop.halting.is_set() or self._stop.holding.is_set()):
            ended = await attempt.run(work, self._tools)
            if ended.outcome != Outcome.INTERRUPTED or not self._stop.why:
                return ended
        return Ended(outcome=Outcome.INTERRUPTED, reason=self._stop.why)

    def _stay_busy(self, span: timedelta) -> None:
        self._busy_at = max(self._busy_at, time.monotonic() + span.total_seconds())

    async def _hold(self) -> None:
        while True:
            await self._stop.holding.wait()
            await asyncio.sleep(0)  # as for a halt
            self._cancel(NOT_BEGUN)
            await self._stop.resumed.wait()
            self._changed.set()

    async def _halt(self) -> None:
        await self._stop.halting.wait()
        # A task that is cancelled before its first step would never be settled.
        await asyncio.sleep(0)
        self._cancel(BEFORE_THE_END_OF_RUNNING)
        await asyncio.sleep(_HALT_SECONDS)
        self._cancel([phase for phase in Phase if phase != Phase.CLOSING])
        await asyncio.sleep(_CLOSING_SECONDS)

    def _cancel(self, phases: Collection[Phase]) -> None:
        for work, carrying in list(self._carrying.items()):
            if work.phase in phases:
                carrying.cancel()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        spawned = asyncio.create_task(coroutine)
        self._tasks.add(spawned)
        spawned.add_done_callback(self._finished)
        return spawned

    def _finished(self, spawned: asyncio.Task[None]) -> None:
        self._tasks.discard(spawned)
        if not spawned.cancelled() and (error := spawned.exception()):
            # As above.
            log.error("tasks were given up", exc_info=error)
