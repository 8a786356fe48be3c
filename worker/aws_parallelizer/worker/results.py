"""What an attempt came to: the task's row after it, and a line in the log."""

from __future__ import annotations

import logging
from datetime import datetime

import msgspec

from aws_parallelizer.core import attempts
from aws_parallelizer.core.task import Ended, Task
from aws_parallelizer.worker.work import Work

log = logging.getLogger(__name__)


def row_after(work: Work, ended: Ended, *, max_attempts: int, now: datetime) -> Task:
    """The row to be written."""
    if work.fetched:
        size, etag = work.fetched
        ended = msgspec.structs.replace(ended, etag=etag, size=size)
    return attempts.end(work.task, ended, max_attempts=max_attempts, now=now)


def report(work: Work, ended: Ended, row: Task, *, accepted: bool) -> None:
    """Say it; `accepted` = the ledger took the row."""
    fields = {
        **work.fields,
        "outcome": ended.outcome,
        "state": row.state,
        "seconds": ended.seconds,
    }
    if ended.reason:
        fields["reason"] = ended.reason
    if accepted:
        log.info("task ended", extra={"fields": fields})
    else:
        log.warning(
            "the result is not recorded: the lease was lost, or the ledger did not take it",
            extra={"fields": fields},
        )
