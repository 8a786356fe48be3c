"""What a job is doing, for people and programs."""

from __future__ import annotations

import logging
from typing import Any

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.core.fleet import Fleet
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.outcome import OPEN, State
from chalicelib.answers import whole
from chalicelib.context import Context

log = logging.getLogger(__name__)


def brief(job: Job, fleet: Fleet | None) -> dict[str, Any]:
    """What two rows say of it, without asking SQS or counting tasks."""
    return {
        "state": _state(job),
        "line": fleet.sentence if fleet else "waiting for the first look at its fleet",
        "observed": fleet.observed if fleet else None,
        "enqueueing": bool(job.enqueues),
        "instances": [whole(one) for one in fleet.instances] if fleet else [],
        "requests": [whole(one) for one in fleet.requests] if fleet else [],
    }


def full(context: Context, job: Job) -> dict[str, Any]:
    """All that is known of it."""
    fleet = context.registry.fleet(job.name)
    counts = context.ledger.counts(job.name)
    return {
        **brief(job, fleet),
        "counts": counts,
        "queue": _queue(context, job),
        **_pace(counts, fleet),
    }


def _state(job: Job) -> str:
    if job.deleting:
        return "deleting"
    return "stopped" if job.stopped else "active"


def _queue(context: Context, job: Job) -> dict[str, int] | None:
    try:
        counts = context.queue(job.queue_url).counts()
    except CALL_FAILED as error:
        log.warning("the queue of job %s could not be read: %s", job.name, error)
        return None  # unknown, and said so; all else that is known is told
    return {
        "visible": counts.visible,
        "inFlight": counts.in_flight,
        "delayed": counts.delayed,
    }


def _pace(counts: dict[State, int], fleet: Fleet | None) -> dict[str, float | None]:
    """Tasks a second at the measured seconds a task, and the seconds until none is open."""
    seconds = fleet.seconds_per_task if fleet else None
    rate = counts[State.RUNNING] / seconds if seconds else None
    left = sum(counts[state] for state in OPEN)
    return {
        "secondsPerTask": seconds,
        "rate": rate,
        "etaSeconds": left / rate if rate else None,
    }
