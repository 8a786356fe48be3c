"""`POST /jobs/{job}/enqueue`: any number of objects, in steps that each fit into one run of Lambda.

A step lists some pages, takes their objects in, and sends the next step with the last key. After
each page it writes down how far it came: a step that is delivered again goes on from there.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec

from aws_parallelizer.aws.s3 import Listed
from aws_parallelizer.core import enqueue, task
from aws_parallelizer.core.enqueue import Progress
from aws_parallelizer.core.errors import NotFound
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.task import Task
from chalicelib import filters, intake, runs, steps
from chalicelib.context import Context
from chalicelib.intake import Arrival
from chalicelib.runs import NotTakenIn
from chalicelib.steps import Enqueue

log = logging.getLogger(__name__)

_STEP_SPAN = timedelta(seconds=30)  # a tenth of the function's time-out
_PARALLEL = 8  # pieces of a page that are taken in at once
_PIECE = 125  # objects; a page has 1,000


def start(
    context: Context,
    name: str,
    *,
    run: str,
    bucket: str | None = None,
    prefix: str | None = None,
    newer_than: datetime | None = None,
) -> Enqueue:
    """Begin to enqueue what lies there; by default the job's inputs. The first step of it.

    `newer_than`: only new objects of then or later, as if S3 had told of them.
    """
    job = runs.open_job(context, name)
    now = context.now()
    progress = Progress(
        job=name,
        run=run,
        bucket=bucket or str(job.parameters.input_bucket),
        prefix=job.parameters.input_prefix or "" if prefix is None else prefix,
        began=now,
        carried=now,
        newer_than=newer_than,
    )
    if not context.s3.has(progress.bucket):
        raise NotFound(f"bucket {progress.bucket} is not there, or this stack may not list it")
    step = step_of(runs.stored(context, job, progress), again=False)
    runs.begin(context, step)
    return step


def step_of(progress: Progress, *, again: bool) -> Enqueue:
    """The step that carries the enqueue on."""
    return Enqueue(
        job=progress.job,
        run=progress.run,
        bucket=progress.bucket,
        prefix=progress.prefix,
        began=progress.began,
        after=progress.after,
        newer_than=progress.newer_than,
        again=again,
    )


def carry_on(context: Context, step: Enqueue, *, delivery: int) -> None:
    """Do a step. `delivery` counts how often SQS has delivered it, this time included."""

    def do(job: Job, again: bool) -> Enqueue | None:
        return _do(context, job, step, again=again)

    runs.carry_on(context, step, delivery=delivery, do=do)


def _do(context: Context, job: Job, step: Enqueue, *, again: bool) -> Enqueue | None:
    until = context.now() + _STEP_SPAN
    progress = context.registry.progress(job.name, step.run)
    after = enqueue.further(step.after, progress.after if progress else "")
    while context.now() < until:
        page = context.s3.page(step.bucket, prefix=step.prefix, after=after)
        if not page:
            return None
        _take_in(context, job, step, page, again=again)
        after = page[-1].key
        if progress:
            noted = msgspec.structs.replace(progress, after=after, carried=context.now())
            progress = runs.write_down(context, noted)
    return msgspec.structs.replace(step, after=after, again=False)


def _take_in(context: Context, job: Job, step: Enqueue, page: list[Listed], *, again: bool) -> None:
    since = step.began if again else None
    oldest = step.newer_than.timestamp() if step.newer_than else 0.0
    wanted = [listed for listed in page if listed.modified >= oldest]
    modified = {listed.key: listed.modified for listed in wanted}
    arrivals = [Arrival(_message(job, step, listed), since=since) for listed in wanted]
    pieces = [arrivals[i : i + _PIECE] for i in range(0, len(arrivals), _PIECE)]

    def decided(row: Task | None, arrival: Arrival) -> Task | None:
        now = context.now()
        reason = filters.why_skipped(job.parameters.filter, arrival.message)
        if reason:
            return task.skip(row, arrival.message, sequencer="", reason=reason, now=now)
        if not step.newer_than:
            return task.enqueue_again(row, arrival.message, now=now)
        at = datetime.fromtimestamp(modified[arrival.message.key], UTC)
        found = task.enqueue_untold(row, arrival.message, modified=at, now=now)
        if found:
            log.warning("no event told of an object of job %s: it is enqueued", job.name)
        return found

    with ThreadPoolExecutor(_PARALLEL) as pool:
        taken = pool.map(lambda piece: intake.take_in(context, job, piece, decide=decided), pieces)
        missed = sum(not safe for piece in taken for safe in piece)
    if missed:
        raise NotTakenIn(f"{missed} objects of enqueue {step.run} of job {job.name}")
    if arrivals:
        steps.nudge_soon(context)


def _message(job: Job, step: Enqueue, listed: Listed) -> Message:
    return Message(
        job=job.name, bucket=step.bucket, key=listed.key, etag=listed.etag, size=listed.size
    )
