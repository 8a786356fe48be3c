"""What a job is doing and what it costs, for people and programs. What is not known is null."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.core import money
from aws_parallelizer.core.fleet import Fleet
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.outcome import ENDED, OPEN, State
from chalicelib import rate
from chalicelib.answers import whole
from chalicelib.context import Context

log = logging.getLogger(__name__)

_SHOWN = 200  # instances, and requests; GET /instances lists all


def brief(job: Job, fleet: Fleet | None) -> dict[str, Any]:
    """What two rows say of it, without asking SQS or counting tasks."""
    return {
        "state": _state(job),
        "line": fleet.sentence if fleet else "waiting for the first look at its fleet",
        "observed": fleet.observed if fleet else None,
        "enqueueing": bool(job.enqueues),
        "instanceCount": sum(fleet.states.values()) if fleet else 0,
        **_spent(job, fleet),
    }


def full(context: Context, job: Job) -> dict[str, Any]:
    """All that is known of it."""
    fleet = context.registry.fleet(job.name)
    counts = context.ledger.counts(job.name)
    queue = _queue(context, job)
    pace = _pace(context, job, counts, fleet)
    return {
        **brief(job, fleet),
        "counts": counts,
        "retry": _retry(context, job),
        "queue": queue,
        "inFlight": queue and queue["inFlight"],
        "instances": [whole(one) for one in fleet.instances[:_SHOWN]] if fleet else [],
        "requests": [whole(one) for one in fleet.requests[:_SHOWN]] if fleet else [],
        "instancesByState": _by_state(fleet),
        "instancesByPool": _by_pool(fleet),
        **pace,
        **_outlook(job, fleet, counts, eta=pace["etaSeconds"]),
    }


def _state(job: Job) -> str:
    if job.deleting:
        return "deleting"
    if job.stopped:
        return "stopped"
    return "paused" if job.paused else "active"


def _retry(context: Context, job: Job) -> dict[str, Any] | None:
    """The last retry, and how far it is; None = there was none lately."""
    progress = context.registry.progress(job.name, job.retry) if job.retry else None
    if progress is None or progress.retry is None:
        return None
    told = progress.retry
    return {
        "id": progress.run,
        "began": progress.began,
        "outcome": told.outcome,
        "prefix": progress.prefix,
        "keyCount": None if told.keys is None else len(told.keys),
        "retried": told.retried,
        "passedOver": told.passed_over,
        "unknown": told.unknown,
        "underWay": progress.run in job.enqueues,
    }


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


def _by_state(fleet: Fleet | None) -> dict[str, int] | None:
    return dict(fleet.states) if fleet else None


def _by_pool(fleet: Fleet | None) -> list[dict[str, Any]] | None:
    """Instances of one kind in one zone, the largest group first."""
    if fleet is None:
        return None
    groups = Counter((each.type, each.zone, each.spot) for each in fleet.instances)
    return [
        {"type": kind, "zone": zone, "spot": spot, "count": count}
        for (kind, zone, spot), count in sorted(groups.items(), key=lambda one: (-one[1], one[0]))
    ]


def _pace(
    context: Context, job: Job, counts: dict[State, int], fleet: Fleet | None
) -> dict[str, float | None]:
    """Tasks a second, measured on those that ended last; where too few have, what those that run
    come to at the measured seconds a task. And the seconds until none is open.
    """
    ended = [state for state in ENDED if counts[state]]
    ends = context.ledger.newest_times(job.name, ended, limit=rate.SAMPLE)
    measured = rate.measured(ends, now=context.now())
    seconds = fleet.seconds_per_task if fleet else None
    if measured is None and seconds and counts[State.RUNNING]:
        measured = counts[State.RUNNING] / seconds
    left = sum(counts[state] for state in OPEN)
    return {
        "secondsPerTask": seconds,
        "rate": measured,
        "etaSeconds": left / measured if measured and left else None,
    }


def _spent(job: Job, fleet: Fleet | None) -> dict[str, Any]:
    known = fleet.spending if fleet and fleet.spending.at else None
    return {
        "budget": job.parameters.budget,
        "spent": known.dollars if known else None,
        "spentUntil": known.at if known else None,
        "dollarsPerHour": known.hourly if known else None,
        "unpriced": known.unpriced if known else (),
    }


def _outlook(
    job: Job, fleet: Fleet | None, counts: dict[State, int], *, eta: float | None
) -> dict[str, float | None]:
    if fleet is None:
        return {"dollarsPerTask": None, "forecast": None, "budgetLeft": None}
    found = money.outlook(
        fleet.spending,
        done=counts[State.DONE],
        opened=sum(counts[state] for state in OPEN),
        eta_seconds=eta,
        budget=job.parameters.budget,
    )
    return {
        "dollarsPerTask": found.per_task,
        "forecast": found.forecast,
        "budgetLeft": found.left,
    }
