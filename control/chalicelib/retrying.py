"""`POST /jobs/{job}/retry`: failed tasks back to the queue, any number of them, in steps.

A step takes the tasks that had failed when the retry began, by shard and the oldest first, so what
fails again meanwhile is not put back once more. After each stretch it writes down how far it came.
Skipped tasks are looked at only where keys name them, or `input-missing` is asked for: then whether
the input is there is seen by the worker.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import msgspec

from aws_parallelizer.core import task
from aws_parallelizer.core.enqueue import Progress
from aws_parallelizer.core.enqueue import Retry as Wanted
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.core.task import Task
from chalicelib import filters, intake, runs, steps
from chalicelib.context import Context
from chalicelib.intake import Arrival
from chalicelib.runs import NotTakenIn
from chalicelib.steps import Retry

_STEP_SPAN = timedelta(seconds=30)  # a tenth of the function's time-out
_PARALLEL = 8  # pieces of a stretch that are put back at once
_PIECE = 125  # tasks
_STRETCH = 1000  # tasks


def start(context: Context, name: str, *, run: str, prefix: str, wanted: Wanted) -> Retry:
    """Begin to try tasks again. The first step of it."""
    job, now = runs.open_job(context, name), context.now()
    progress = Progress(
        job=name, run=run, bucket="", prefix=prefix, began=now, carried=now, retry=wanted
    )
    step = step_of(runs.stored(context, job, progress), again=False)
    runs.begin(context, step)
    return step


def step_of(progress: Progress, *, again: bool) -> Retry:
    """The step that carries the retry on."""
    return Retry(job=progress.job, run=progress.run, again=again)


def carry_on(context: Context, step: Retry, *, delivery: int) -> None:
    """Do a step. `delivery` counts how often SQS has delivered it, this time included."""

    def do(job: Job, again: bool) -> Retry | None:
        progress = context.registry.progress(job.name, step.run)
        if progress is None or progress.retry is None:
            return None  # DynamoDB dropped it: nobody has carried it on for weeks
        carrier = _Carrier(context, job, progress, progress.retry)
        over = carrier.keys(again=again) if progress.retry.keys else carrier.walk(again=again)
        return None if over else msgspec.structs.replace(step, again=False)

    runs.carry_on(context, step, delivery=delivery, do=do)


class _Carrier:
    """One step of one retry."""

    def __init__(self, context: Context, job: Job, progress: Progress, wanted: Wanted) -> None:
        self._context = context
        self._job = job
        self._progress = progress
        self._wanted = wanted

    def keys(self, *, again: bool) -> bool:
        """Put the tasks of the wanted keys back; True: that is all."""
        asked = dict.fromkeys(self._wanted.keys or ())
        rows = self._context.ledger.get_many(self._job.name, asked)
        since = self._progress.began if again else None
        retried = self._put_back(rows.values(), since=since)
        self._write_down(
            "",
            retried=retried,
            passed_over=len(rows) - retried,
            unknown=len(asked) - len(rows),
        )
        return True

    def walk(self, *, again: bool) -> bool:
        """Put tasks back for a while; whether all are."""
        until = self._context.now() + _STEP_SPAN
        found = self._send_unsent() if again else 0
        while self._context.now() < until:
            page = self._context.ledger.stretch(
                self._job.name,
                State.SKIPPED if self._wanted.outcome == Outcome.INPUT_MISSING else State.FAILED,
                until=self._progress.began,
                token=self._progress.after,
                limit=_STRETCH,
            )
            asked = [row for row in page.tasks if self._is_wanted(row)]
            retried, before = self._put_back(asked), self._wanted
            self._write_down(
                page.next,
                retried=before.retried + found + retried,
                passed_over=before.passed_over + len(asked) - retried,
            )
            found = 0
            if not (page.next and self._progress.after):
                return True  # this step came to the end, or its double did
        return False

    def _send_unsent(self) -> int:
        """Send what a step that died had written and not sent, of its last stretch; how many."""
        since = self._wanted.sent or self._progress.began
        unsent = self._context.ledger.in_states(self._job.name, [State.QUEUED], since=since)
        rows = self._context.ledger.get_many(self._job.name, unsent)
        return self._put_back([row for row in rows.values() if row.retries], since=since)

    def _put_back(self, rows: Collection[Task], *, since: datetime | None = None) -> int:
        """Put back those that are to be; how many. And send a message of those that were put back
        at `since` or later and not begun: they may have got none. Raises NotTakenIn.
        """
        arrivals = [Arrival(_message(row), since=since) for row in rows]
        pieces = [arrivals[i : i + _PIECE] for i in range(0, len(arrivals), _PIECE)]
        with ThreadPoolExecutor(_PARALLEL) as pool:
            counts = list(pool.map(self._put_back_piece, pieces))
        if any(counts):
            steps.nudge_soon(self._context)
        return sum(counts)

    def _put_back_piece(self, arrivals: Sequence[Arrival]) -> int:
        changed: set[str] = set()

        def decide(row: Task | None, arrival: Arrival) -> Task | None:
            found = self._retried(row)
            put_back = found or (row and arrival.since and _was_put_back(row, arrival.since))
            (changed.add if put_back else changed.discard)(arrival.message.key)
            return found

        safe = intake.take_in(self._context, self._job, arrivals, decide=decide)
        if not all(safe):
            missed = len(safe) - sum(safe)
            raise NotTakenIn(f"{missed} tasks of a retry of job {self._job.name}")
        return len(changed)

    def _retried(self, row: Task | None) -> Task | None:
        if row is None or not self._is_wanted(row) or row.since > self._progress.began:
            return None
        if filters.why_skipped(self._job.parameters.filter, _message(row)):
            return None
        return task.retry(row, now=self._context.now())

    def _is_wanted(self, row: Task) -> bool:
        outcome = self._wanted.outcome
        return row.key.startswith(self._progress.prefix) and outcome in (None, row.outcome)

    def _write_down(self, after: str, **counts: int) -> None:
        now = self._context.now()
        done = msgspec.structs.replace(self._wanted, sent=now, **counts)
        noted = msgspec.structs.replace(self._progress, after=after, carried=now, retry=done)
        self._progress = runs.write_down(self._context, noted) or noted
        self._wanted = self._progress.retry or done


def _was_put_back(row: Task, since: datetime) -> bool:
    return row.retries > 0 and row.enqueued >= since


def _message(row: Task) -> Message:
    return Message(job=row.job, bucket=row.bucket, key=row.key, etag=row.etag, size=row.size)
