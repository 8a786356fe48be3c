"""`POST /jobs/{job}/enqueue`: any number of objects, in steps that each fit into one run of Lambda.

A step lists some pages, takes their objects in, and sends the next step with the last key.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec

from aws_parallelizer.aws.s3 import Listed
from aws_parallelizer.core import task
from aws_parallelizer.core.errors import Conflict, NotFound, ParallelizerError
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.task import Task
from chalicelib import filters, intake, steps
from chalicelib.context import Context
from chalicelib.intake import Arrival
from chalicelib.steps import Enqueue

log = logging.getLogger(__name__)

_STEP_SPAN = timedelta(seconds=30)  # a tenth of the function's time-out
_PARALLEL = 8  # pieces of a page that are taken in at once
_PIECE = 125  # objects; a page has 1,000


class NotTakenIn(ParallelizerError):
    """Some objects of a step could not be enqueued: it is to be delivered again."""


def start(
    context: Context, name: str, *, run: str, bucket: str | None, prefix: str | None
) -> Enqueue:
    """Begin to enqueue what lies there; by default the job's inputs. The first step of it."""
    job = context.registry.job(name)
    if job.deleting:
        raise Conflict(f"job {name} is being deleted")
    step = Enqueue(
        job=name,
        run=run,
        bucket=bucket or str(job.parameters.input_bucket),
        prefix=job.parameters.input_prefix or "" if prefix is None else prefix,
        began=context.now(),
    )
    if not context.s3.has(step.bucket):
        raise NotFound(f"bucket {step.bucket} is not there, or this stack may not list it")
    context.registry.change_job(name, lambda job: _with_run(job, run))
    try:
        steps.send(context, step)
    except Exception:
        # Nothing is under way: an id that stayed would keep the job from ever being empty.
        context.registry.change_job(name, lambda job: _without_run(job, run))
        raise
    return step


def carry_on(context: Context, step: Enqueue, *, delivery: int) -> None:
    """Do a step. `delivery` counts how often SQS has delivered it, this time included."""
    try:
        job = context.registry.job(step.job)
    except NotFound:
        return  # deleted since: nothing is left to do
    if step.run not in job.enqueues or job.deleting:
        return  # ended since: this is a repeated delivery
    try:
        following = _do(context, job, step, again=delivery > 1)
    except Exception:
        if delivery >= steps.DELIVERIES:
            log.exception("enqueue %s of job %s is given up", step.run, job.name)
            _end(context, step)
        raise  # SQS delivers the step again, or lays it among the dead ones
    if following:
        steps.send(context, following)
    else:
        _end(context, step)


def _do(context: Context, job: Job, step: Enqueue, *, again: bool) -> Enqueue | None:
    until = context.now() + _STEP_SPAN
    while context.now() < until:
        page = context.s3.page(step.bucket, prefix=step.prefix, after=step.after)
        if not page:
            return None
        _take_in(context, job, step, page, again=again)
        step = msgspec.structs.replace(step, after=page[-1].key)
    return step


def _take_in(context: Context, job: Job, step: Enqueue, page: list[Listed], *, again: bool) -> None:
    since = step.began if again else None
    arrivals = [Arrival(_message(job, step, listed), since=since) for listed in page]
    pieces = [arrivals[i : i + _PIECE] for i in range(0, len(arrivals), _PIECE)]

    def decide(row: Task | None, arrival: Arrival) -> Task | None:
        now = context.now()
        reason = filters.why_skipped(job.parameters.filter, arrival.message)
        if reason:
            return task.skip(row, arrival.message, sequencer="", reason=reason, now=now)
        return task.enqueue_again(row, arrival.message, now=now)

    with ThreadPoolExecutor(_PARALLEL) as pool:
        taken = pool.map(lambda piece: intake.take_in(context, job, piece, decide=decide), pieces)
        missed = sum(not safe for piece in taken for safe in piece)
    if missed:
        raise NotTakenIn(f"{missed} objects of enqueue {step.run} of job {job.name}")
    steps.nudge_soon(context)


def _message(job: Job, step: Enqueue, listed: Listed) -> Message:
    return Message(
        job=job.name, bucket=step.bucket, key=listed.key, etag=listed.etag, size=listed.size
    )


def _end(context: Context, step: Enqueue) -> None:
    try:
        context.registry.change_job(step.job, lambda job: _without_run(job, step.run))
    except NotFound:
        return  # deleted meanwhile, and its runs with it
    steps.nudge(context)


def _with_run(job: Job, run: str) -> Job:
    return msgspec.structs.replace(job, enqueues=(*_others(job, run), run))


def _without_run(job: Job, run: str) -> Job:
    return msgspec.structs.replace(job, enqueues=_others(job, run))


def _others(job: Job, run: str) -> tuple[str, ...]:
    return tuple(other for other in job.enqueues if other != run)
