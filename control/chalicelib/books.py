"""What a tick notes of a job beside its plan: how it gets on, what its topic and metrics hear."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import msgspec

from aws_parallelizer.core import money
from aws_parallelizer.core.fleet import Fleet
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.outcome import ENDED
from chalicelib import progress, refusals
from chalicelib.actions import Plan
from chalicelib.context import Context
from chalicelib.execution import Report
from chalicelib.metrics import JobNumbers
from chalicelib.notices import Facts
from chalicelib.readings import Readings


def with_progress(
    context: Context, job: Job, fleet: Fleet, readings: Readings, *, now: datetime
) -> Fleet:
    """The row with when the job last got on. The ledger is asked only when that was a while ago."""
    demand = readings.demand if job.leasing else None
    known = fleet.progressed
    ended = None
    if demand and known and now - known > progress.LOOK_AFTER:
        times = context.ledger.newest_times(job.name, ENDED, limit=1)
        ended = max((cell[0] for cell in times if cell), default=None)
    progressed = progress.progressed(
        known, demand=demand, entitled=job.leasing, ended=ended, now=now
    )
    return msgspec.structs.replace(fleet, progressed=progressed)


def facts(job: Job, fleet: Fleet, decided: Plan, readings: Readings, *, empty: bool) -> Facts:
    """What the job's topic may have to hear of. `empty` = the emptiness rule holds."""
    let_go = job.stopped or job.deleting
    return Facts(
        drained=empty and decided.finished and not let_go,
        working=bool(job.enqueues) or (not let_go and bool(readings.demand)),
        stopped=job.stopped and decided.finished,
        held=job.stopped,
        overspent=money.overspent(fleet.spending, job.parameters.budget),
        misconfigured=fleet.backoff.sentence if fleet.backoff.configuration else "",
    )


def facts_of_failure(job: Job, fleet: Fleet, why: str) -> Facts:
    """The same of a tick that could not plan, for a parameter names what is not there."""
    return Facts(
        held=job.stopped,
        overspent=money.overspent(fleet.spending, job.parameters.budget),
        misconfigured=why,
    )


def numbers(
    job: Job, before: Fleet, after: Fleet, report: Report, readings: Readings, *, now: datetime
) -> JobNumbers:
    """What the metrics say of the tick that led from one row to the other."""
    refused = [*report.spot.refusals, *report.on_demand.refusals]
    asked = not (job.stopped or job.deleting)
    return JobNumbers(
        job=job.name,
        queued=readings.queued if asked else None,
        in_flight=readings.in_flight if asked else None,
        running=after.states.get("running", 0),
        pending=after.states.get("pending", 0),
        launched=len(report.spot.instances) + len(report.on_demand.instances),
        refused=Counter(refusals.class_of(each).value for each in refused),
        misgiven=len(report.misgiven),
        spent=after.spending.dollars if after.spending.at else None,
        added=after.spending.dollars - before.spending.dollars,
        stuck=_is_stuck(job, after, readings, now=now),
    )


def _is_stuck(job: Job, fleet: Fleet, readings: Readings, *, now: datetime) -> bool:
    if not job.leasing or fleet.progressed is None or not readings.demand:
        return False
    patience = progress.patience(
        seconds_per_task=fleet.seconds_per_task,
        timeout_seconds=job.parameters.timeout,
        in_flight=readings.in_flight or 0,
    )
    return progress.is_stuck(fleet.progressed, now=now, patience=patience)
