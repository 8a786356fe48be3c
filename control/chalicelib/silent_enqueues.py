"""Enqueues and retries that nobody carries on: their step is sent again, or they are ended.

A function may die between marking one in the job's row and sending its step, and a step may
end in the dead-letter queue unseen. The mark would keep the job from ever counting as empty.
"""

from __future__ import annotations

import logging

import msgspec

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.dynamodb import Unwritten
from aws_parallelizer.core.enqueue import Care, Progress, care, unknown
from aws_parallelizer.core.errors import Conflict
from aws_parallelizer.core.job import Job
from chalicelib import enqueueing, retrying, runs, steps
from chalicelib.context import Context
from chalicelib.steps import NotSent

log = logging.getLogger(__name__)


def wake(context: Context, job: Job) -> None:
    """Carry the job's silent enqueues and retries on. To be called at every tick; harmless when
    doubled.
    """
    for run in job.enqueues:
        try:
            _look_after(context, job, run)
        except (*CALL_FAILED, Unwritten, NotSent, Conflict) as error:
            # The mark stays, so the job does not count as empty; the next tick looks again.
            log.warning("enqueue %s of job %s could not be looked after: %s", run, job.name, error)


def _look_after(context: Context, job: Job, run: str) -> None:
    progress = context.registry.progress(job.name, run)
    if progress is None:
        context.registry.put_progress(unknown(job.name, run, now=context.now()))
        return
    match care(progress, now=context.now()):
        case Care.NOTHING:
            return
        case Care.AN_END:
            log.error("enqueue %s of job %s is given up: nobody carries it on", run, job.name)
            runs.end(context, job.name, run)
        case Care.ANOTHER_STEP:
            _send_again(context, progress)


def _send_again(context: Context, progress: Progress) -> None:
    log.warning("enqueue %s of job %s was silent: carried on", progress.run, progress.job)
    renewed = msgspec.structs.replace(progress, carried=context.now(), resent=progress.resent + 1)
    # Written first: another tick that finds it silent too is refused, or waits again.
    stored = context.registry.put_progress(renewed)
    carrying = retrying if stored.retry else enqueueing
    steps.send(context, carrying.step_of(stored, again=True))
