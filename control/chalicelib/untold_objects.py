"""Objects of which no event ever told: found by listing a job's inputs when its work seems over.

S3 delivers an event at least once, as a rule; a queue policy changed by hand or a notification that
somebody removed for an hour loses all of its. What a listing costs is small: S3 asks $5 for a
million pages of 1,000, and only objects that came since the last listing (and a day before it: a
multipart upload bears the time at which it began) are looked up in the ledger. A million inputs
are half a cent a listing, and about 13 cents once, for the lookups.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.dynamodb import Unwritten
from aws_parallelizer.core.enqueue import Progress
from aws_parallelizer.core.errors import ParallelizerError
from aws_parallelizer.core.job import Job
from chalicelib import enqueueing
from chalicelib.context import Context

log = logging.getLogger(__name__)

RUN = "untold"  # the id of the enqueue that looks for them; its progress says when it last began
EVERY = timedelta(hours=12)
OVERLAP = timedelta(days=1)


def due(job: Job, last: Progress | None, *, told_bucket: str, now: datetime) -> datetime | None:
    """From which time on objects are to be looked at; None = no look is due.

    Only in the bucket that tells the stack of its objects, and only objects that came since the
    job's inputs lie where they lie: what was there before is enqueued when a person asks for it.
    """
    if job.stopped or job.deleting or job.enqueues:
        return None
    if job.parameters.input_bucket != told_bucket:
        return None
    since = job.inputs_since or job.created
    if last is None or last.began < since:
        return since
    return None if now - last.began < EVERY else max(since, last.began - OVERLAP)


def look(context: Context, job: Job) -> bool:
    """Begin to look for them, if that is due; whether it began. Meant for the moment at which all
    else says that the job's work is over: it must not count as over before the look has ended.
    """
    try:
        last = context.registry.progress(job.name, RUN)
        since = due(job, last, told_bucket=context.settings.input_bucket, now=context.now())
        if since is None:
            return False
        enqueueing.start(context, job.name, run=RUN, newer_than=since)
    except (*CALL_FAILED, Unwritten, ParallelizerError) as error:
        # The work is over as far as anybody knows; the next tick tries again.
        log.warning("the inputs of job %s could not be listed: %s", job.name, error)
        return False
    log.info("the inputs of job %s are listed, for objects that no event told of", job.name)
    return True
