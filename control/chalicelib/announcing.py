"""Tells a job's `notify` topic what is new, and keeps in the fleet's row what was told."""

from __future__ import annotations

import logging

import msgspec

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.core.fleet import Fleet
from aws_parallelizer.core.job import Job
from chalicelib import notices
from chalicelib.context import Context
from chalicelib.notices import Facts, News

log = logging.getLogger(__name__)


def announced(context: Context, job: Job, fleet: Fleet, facts: Facts) -> Fleet:
    """The row after its topic was told of what is due; asks nothing and nobody without a topic.

    What cannot be told stays untold and is said in the row's sentence; nothing waits for it.
    """
    if not job.parameters.notify or job.deleting:
        return msgspec.structs.replace(fleet, told=(), untold=())
    due, trouble = notices.news(fleet.told, facts), ""
    if due.untold:
        due, trouble = _tell(context, job, fleet, due)
    sentence = "; ".join(filter(None, [trouble, fleet.sentence]))
    return msgspec.structs.replace(fleet, told=due.told, untold=due.untold, sentence=sentence)


def _tell(context: Context, job: Job, fleet: Fleet, due: News) -> tuple[News, str]:
    try:
        counts = context.ledger.counts(job.name)
    except CALL_FAILED as error:
        # Without the numbers of tasks there is nothing to say yet: the next tick tries again.
        log.warning("the tasks of job %s could not be counted: %s", job.name, error)
        return due, "notify is not told yet: the tasks could not be counted"
    return notices.tell(
        context.client("sns"),
        job,
        due,
        stack=context.settings.stack,
        counts=counts,
        spending=fleet.spending,
        sentence=fleet.sentence,
    )
