"""A job's life: made or changed, stopped, deleted with its queues."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from aws_parallelizer.core import job as core
from aws_parallelizer.core.errors import Conflict, NotFound, ParameterError, Problem
from aws_parallelizer.core.job import Job, Wish
from aws_parallelizer.core.parameters import Parameters, Parsed
from chalicelib import steps
from chalicelib.context import Context

log = logging.getLogger(__name__)

_RETENTION_SECONDS = 14 * 24 * 3600  # SQS's longest
# Receives that end in no counted attempt: interruptions, releases. Past them it kills its workers.
_RECEIVES_BESIDE_ATTEMPTS = 20
_PURGE_SPAN = timedelta(seconds=60)


class Stored(NamedTuple):
    """A job as it is stored now, whether it is new, and what its owner should know."""

    job: Job
    created: bool
    warnings: tuple[str, ...]


class _Queues(NamedTuple):
    url: str
    dead_letter_url: str
    own: bool


def put(context: Context, name: str, parsed: Parsed) -> Stored:
    """Make or change the job; twice the same is harmless. Raises ParameterError, Conflict."""
    others = context.registry.jobs()
    present = next((job for job in others if job.name == name), None)
    if present and present.deleting:
        raise Conflict(f"job {name} is being deleted; when GET answers 404 it can be made anew")
    settled = core.settle(parsed.parameters, job=name, stack=context.settings.defaults)
    core.check_prefixes(name, settled, others)
    queues = _queues(context, name, settled, present, others)
    settled = msgspec.structs.replace(settled, queue_url=queues.url)
    job = _store(context, name, settled, queues, present)
    steps.nudge(context)
    return Stored(job, present is None, (*parsed.warnings, *_warnings(context, parsed, settled)))


def _store(
    context: Context, name: str, settled: Parameters, queues: _Queues, present: Job | None
) -> Job:
    if present:
        return context.registry.change_job(
            name, lambda job: _with_parameters(job, settled, now=context.now())
        )
    job = Job(
        name=name,
        parameters=settled,
        created=context.now(),
        queue_url=queues.url,
        dead_letter_url=queues.dead_letter_url,
        own_queue=queues.own,
    )
    return context.registry.add_job(job)


def _with_parameters(job: Job, settled: Parameters, *, now: datetime) -> Job:
    moved = _inputs(settled) != _inputs(job.parameters)
    return msgspec.structs.replace(
        job, parameters=settled, inputs_since=now if moved else job.inputs_since
    )


def _inputs(parameters: Parameters) -> tuple[str | None, str | None]:
    return parameters.input_bucket, parameters.input_prefix


def _queues(
    context: Context, name: str, settled: Parameters, present: Job | None, jobs: list[Job]
) -> _Queues:
    given = settled.queue_url
    if present and given not in (None, present.queue_url):
        raise Conflict(f"the queue of job {name} cannot change; delete the job and make it anew")
    if present and not present.own_queue:
        return _Queues(present.queue_url, present.dead_letter_url, own=False)
    if given and not present:
        _check_queue(context, given, jobs)
        return _Queues(given, "", own=False)
    return _make_queues(context, name, settled)


def _check_queue(context: Context, url: str, jobs: list[Job]) -> None:
    taken = next((job.name for job in jobs if job.queue_url == url), "")
    if taken:
        raise ParameterError([Problem("queueURL", f"queueURL {url} is the queue of job {taken}.")])
    try:
        context.queues.arn(url)
    except NotFound as error:
        raise ParameterError([Problem("queueURL", f"queueURL: {error}.")]) from error


def _make_queues(context: Context, name: str, settled: Parameters) -> _Queues:
    # No stack's or job's name has an underscore: no two jobs share a queue's name.
    base = f"{context.settings.stack}_{name}"
    retention = {"MessageRetentionPeriod": str(_RETENTION_SECONDS)}
    dead = context.queues.make(f"{base}_dead", retention)
    redrive = {
        "deadLetterTargetArn": context.queues.arn(dead),
        "maxReceiveCount": settled.max_attempts + _RECEIVES_BESIDE_ATTEMPTS,
    }
    attributes = {
        **retention,
        "VisibilityTimeout": str(settled.visibility_timeout),
        "RedrivePolicy": json.dumps(redrive),
    }
    return _Queues(context.queues.make(base, attributes), dead, own=True)


def _warnings(context: Context, parsed: Parsed, settled: Parameters) -> Iterator[str]:
    region, stacks = context.settings.aws_region, context.settings.input_bucket
    if parsed.parameters.region != region:
        yield f"EC2SQSRegion is set to {region}: the stack's queues and instances are there."
    if settled.input_bucket != stacks:
        yield (
            f"inputBucket {settled.input_bucket} is not this stack's: unless its events are sent "
            "to the stack's uploads queue, new objects are found by enqueue alone."
        )


def wish(context: Context, name: str, wished: Wish) -> Job:
    """Have instances launched, also for a stopped job; the same wish twice is one."""

    def change(job: Job) -> Job:
        _refuse_deleted(job)
        if job.paused:
            raise Conflict(f"job {name} is paused; resume it first: POST /jobs/{name}/resume")
        others = tuple(other for other in job.wishes if other.id != wished.id)
        return msgspec.structs.replace(job, stopped=False, wishes=(*others, wished))

    return _change(context, name, change)


def pause(context: Context, name: str) -> Job:
    """Launch nothing and have no task begun until somebody resumes; what runs goes on."""

    def change(job: Job) -> Job:
        _refuse_deleted(job)
        return msgspec.structs.replace(job, paused=True, wishes=())

    return _change(context, name, change)


def resume(context: Context, name: str) -> Job:
    """Undo a pause; harmless where there is none."""

    def change(job: Job) -> Job:
        _refuse_deleted(job)
        return msgspec.structs.replace(job, paused=False)

    return _change(context, name, change)


def _refuse_deleted(job: Job) -> None:
    if job.deleting:
        raise Conflict(f"job {job.name} is being deleted")


def stop(context: Context, name: str) -> Job:
    """The panic button: end this job's machines and launch none until somebody asks for them."""
    return _change(context, name, lambda job: msgspec.structs.replace(job, stopped=True, wishes=()))


def delete(context: Context, name: str, *, purge: bool) -> Job:
    """Have everything of the job stopped and removed; reconcile carries it out."""

    def change(job: Job) -> Job:
        return msgspec.structs.replace(
            job, deleting=True, purge=purge or job.purge, wishes=(), enqueues=()
        )

    return _change(context, name, change)


def _change(context: Context, name: str, change: Callable[[Job], Job]) -> Job:
    job = context.registry.change_job(name, change)
    steps.nudge(context)
    return job


def finish_deletion(context: Context, job: Job) -> None:
    """Remove the queues and the row of a job whose fleet is gone. Called until the row is gone."""
    if job.own_queue:
        context.queues.remove(job.queue_url)
        context.queues.remove(job.dead_letter_url)
    if job.purge:
        steps.send(context, steps.Purge(job=job.name))  # it removes the job at its end
    elif context.registry.remove_job(job):
        log.info("job %s is deleted", job.name)


def purge(context: Context, step: steps.Purge) -> None:
    """Remove ledger rows for a while, then the job; reconcile asks again for what is left.

    One at a time: while another holds the lease, there is nothing to do.
    """
    now, until = context.now(), context.now() + _PURGE_SPAN
    held = context.registry.take_lease(
        f"purge-{step.job}", owner=uuid.uuid4().hex, now=now, seconds=2 * _PURGE_SPAN.seconds
    )
    if not held:
        return
    try:
        job = context.registry.job(step.job)
    except NotFound:
        return  # another step has removed it
    if not job.purge:
        return
    while context.now() < until:
        if not context.ledger.purge(job.name):
            context.registry.remove_job(job)
            log.info("job %s is deleted with its ledger rows", job.name)
            break
    context.registry.give_back(f"purge-{step.job}", held, now=context.now())
