"""Work of a job that goes on in steps, an enqueue or a retry: begun, carried on, ended.

Its id stands in the job's row while it is under way, so that the job does not count as empty; how
far it is stands in a row of its own. A step that is delivered again goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from aws_parallelizer.core.enqueue import Progress
from aws_parallelizer.core.errors import Conflict, NotFound, ParallelizerError
from aws_parallelizer.core.job import Job
from chalicelib import steps
from chalicelib.context import Context
from chalicelib.steps import Enqueue, Retry

log = logging.getLogger(__name__)

Step = Enqueue | Retry


class NotTakenIn(ParallelizerError):
    """Some tasks of a step could not be enqueued: it is to be delivered again."""


def open_job(context: Context, name: str) -> Job:
    """The job, if something may be begun for it; raises NotFound or Conflict."""
    job = context.registry.job(name)
    if job.deleting:
        raise Conflict(f"job {name} is being deleted")
    return job


def stored(context: Context, job: Job, progress: Progress) -> Progress:
    """What is written down of the run: how far it came, where it is begun a second time."""
    known = context.registry.progress(job.name, progress.run)
    if known and progress.run in job.enqueues:
        return known
    version = known.version if known else 0
    return context.registry.put_progress(msgspec.structs.replace(progress, version=version))


def begin(context: Context, step: Step) -> None:
    """Say that the run is under way, and send its first step."""
    retry = isinstance(step, Retry)
    context.registry.change_job(step.job, lambda job: _with_run(job, step.run, retry=retry))
    try:
        steps.send(context, step)
    except Exception:
        # Nothing is under way: an id that stayed would keep the job from being empty for a while.
        end(context, step.job, step.run)
        raise


def carry_on(
    context: Context, step: Step, *, delivery: int, do: Callable[[Job, bool], Step | None]
) -> None:
    """Have a step done: `do` is told whether an earlier delivery may have died in the middle of it,
    and gives the following step, None at the end. `delivery` counts how often SQS has delivered it.
    """
    try:
        job = context.registry.job(step.job)
    except NotFound:
        return  # deleted since: nothing is left to do
    if step.run not in job.enqueues or job.deleting:
        return  # ended since: this is a repeated delivery
    try:
        following = do(job, step.again or delivery > 1)
    except Exception:
        if delivery >= steps.DELIVERIES:
            log.exception("run %s of job %s is given up", step.run, job.name)
            end(context, step.job, step.run)
        raise  # SQS delivers the step again, or lays it among the dead ones
    if following:
        steps.send(context, following)
    else:
        end(context, step.job, step.run)


def write_down(context: Context, progress: Progress) -> Progress | None:
    """Note how far a run came; what is known of it then, None = nothing any more."""
    try:
        return context.registry.put_progress(progress)
    except Conflict:
        # The same step was delivered twice, or the run has ended: both may go on, unharmed.
        return context.registry.progress(progress.job, progress.run)


def end(context: Context, name: str, run: str) -> None:
    """The run is over; what is known of it stays a while."""
    try:
        context.registry.change_job(name, lambda job: _without_run(job, run))
    except NotFound:
        return  # deleted meanwhile, and its runs with it
    steps.nudge(context)


def _with_run(job: Job, run: str, *, retry: bool) -> Job:
    return msgspec.structs.replace(
        job, enqueues=(*_others(job, run), run), retry=run if retry else job.retry
    )


def _without_run(job: Job, run: str) -> Job:
    return msgspec.structs.replace(job, enqueues=_others(job, run))


def _others(job: Job, run: str) -> tuple[str, ...]:
    return tuple(other for other in job.enqueues if other != run)
