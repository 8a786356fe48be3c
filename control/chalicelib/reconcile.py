"""Compare what should be with what is, job by job, and act on the difference.

One run at a time: it holds a lease in the registry. For each job: read, plan, write what was seen
and decided, carry out. The fleet's row is written, under the version that was read, before anything
is done, so a run that lost its lease is refused before it acts.
"""

from __future__ import annotations

import logging
import uuid

import msgspec

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.aws.ec2_setup import Ec2Setup
from aws_parallelizer.aws.sqs import Queue
from aws_parallelizer.core.errors import ParallelizerError
from aws_parallelizer.core.fleet import Fleet, Mark, Streak
from aws_parallelizer.core.job import Job
from chalicelib import books, jobs, lost_tasks, silent_enqueues
from chalicelib.actions import Plan
from chalicelib.announcing import announced
from chalicelib.context import Context
from chalicelib.execution import Report
from chalicelib.holdings import DOOM
from chalicelib.metering import Meter
from chalicelib.metrics import Log
from chalicelib.readings import Readings
from chalicelib.templates import name_of
from chalicelib.tick import Tick

log = logging.getLogger(__name__)

LEASE = "reconcile"


def run(context: Context) -> None:
    """One run over all jobs, unless another one is under way."""
    lease = context.registry.take_lease(
        LEASE,
        owner=uuid.uuid4().hex,
        now=context.now(),
        seconds=context.settings.lease_seconds,
    )
    if lease is None:
        log.info("another reconcile is under way")
        return
    try:
        _all_jobs(context)
    finally:
        context.registry.give_back(LEASE, lease, now=context.now())


def _all_jobs(context: Context) -> None:
    client = context.client("ec2")
    ec2 = Ec2(client, launcher=context.client("ec2", attempts=1))
    setup = Ec2Setup(client)
    uploads = _uploads(context.uploads)
    marks = _fresh_marks(context)
    every = context.registry.jobs()
    meter = Meter(client, context.registry, context.now, every)
    metrics = Log(context.settings.stack)
    for job in every:
        readings = Readings(context, job, uploads)
        try:
            silent_enqueues.wake(context, job)
            lost_tasks.send_aged_anew(context, job)
            if Tick(context, job, ec2, setup, readings, meter, metrics, marks).run():
                for on_demand in (False, True):
                    name = name_of(job, stack=context.settings.stack, on_demand=on_demand)
                    setup.remove_template(name)
                jobs.finish_deletion(context, job)
        except ParallelizerError as error:
            # A parameter names what is not there: a person must act, and reads it in the status.
            _failed(readings, metrics, str(error), misconfigured=True)
        except Exception as error:
            # This job waits for the next run; the others do not wait for it.
            log.exception("reconcile of job %s failed", job.name)
            _failed(readings, metrics, f"reconcile failed: {error}"[:500])
    metrics.close(now=context.now())


def preview(context: Context) -> dict[str, Plan]:
    """What `run` would do for each job. Reads, and changes nothing."""
    client = context.client("ec2")
    ec2, setup = Ec2(client, launcher=client), Ec2Setup(client)
    uploads = _uploads(context.uploads)
    marks = tuple(context.registry.marks())
    every = context.registry.jobs()
    meter = Meter(client, context.registry, context.now, every)
    metrics = Log(context.settings.stack)
    found = {}
    for job in every:
        readings = Readings(context, job, uploads)
        tick = Tick(context, job, ec2, setup, readings, meter, metrics, marks)
        found[job.name] = tick.preview()
    return found


def _fresh_marks(context: Context) -> tuple[Mark, ...]:
    """EC2's words on instances, everybody's; those that say nothing any more are removed."""
    fresh = []
    for mark in context.registry.marks():
        if context.now() - mark.at < DOOM:
            fresh.append(mark)
        else:
            context.registry.remove_mark(mark)
    return tuple(fresh)


def _uploads(queue: Queue) -> int | None:
    """Messages of new objects on their way to all jobs, read before any work queue: what moves on
    meanwhile is seen there.
    """
    try:
        return queue.counts().total
    except CALL_FAILED as error:
        log.warning("the uploads queue could not be read, so nothing counts as empty: %s", error)
        return None


def _failed(
    readings: Readings, metrics: Log, sentence: str, *, misconfigured: bool = False
) -> None:
    """Tell people, the job's topic where they must act, and the metrics."""
    metrics.failed += 1
    context, job = readings.context, readings.job
    try:
        told = _say(context, job, sentence)
        told = books.with_progress(context, job, told, readings, now=context.now())
        if misconfigured:
            told = announced(context, job, told, books.facts_of_failure(job, told, sentence))
        context.registry.put_fleet(told)
        numbers = books.numbers(job, told, told, Report(), readings, now=context.now())
        metrics.tell(numbers, now=context.now())
    except Exception:
        # What could be written is; the next run does the rest.
        log.exception("the failure of job %s could not be written either", job.name)


def _say(context: Context, job: Job, sentence: str) -> Fleet:
    """Tell people, and start the counts of readings anew: a failed one says nothing."""
    found = context.registry.fleet(job.name) or Fleet(job=job.name, observed=context.now())
    told = msgspec.structs.replace(found, sentence=sentence, empty=Streak(), lost=Streak())
    return context.registry.put_fleet(told)
