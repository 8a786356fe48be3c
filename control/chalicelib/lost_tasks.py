"""Tasks that the ledger holds open and the queue has lost: sent anew.

A message vanishes when its retention ends, or when a crash came between the row and the send. The
ledger is the truth, so once several readings have shown the queue empty, the message is made again
from the row.
"""

from __future__ import annotations

import itertools
import logging
from datetime import timedelta

from aws_parallelizer.core import message, task
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import OPEN
from aws_parallelizer.core.task import Task
from chalicelib.context import Context

log = logging.getLogger(__name__)

LIMIT = 500  # tasks a time; the others follow when the readings show them lost again


def send_anew(context: Context, job: Job) -> int:
    """Send up to LIMIT of the job's open tasks anew; how many.

    Only rows that have not changed for longer than a lease: what a worker has just taken, or an
    enqueue has just written, may have its message on the way.
    """
    now = context.now()
    until = now - timedelta(seconds=job.parameters.visibility_timeout)
    keys = context.ledger.in_states(job.name, OPEN, until=until, limit=LIMIT)
    rows = context.ledger.get_many(job.name, itertools.islice(keys, LIMIT))
    renewed = [task.send_anew(row, now=now) for row in rows.values() if row.state in OPEN]
    written = [row for row in context.ledger.write(renewed) if row]
    sent = sum(context.queue(job.queue_url).send([_body(row) for row in written]))
    log.warning("%d tasks of job %s were lost by the queue and sent anew", sent, job.name)
    return sent


def _body(row: Task) -> str:
    return message.encode(
        Message(key=row.key, bucket=row.bucket, job=row.job, etag=row.etag, size=row.size)
    )
