"""Tasks that the ledger holds open and the queue has lost: sent anew.

A message vanishes when its retention ends, or when a crash came between the row and the send. The
ledger is the truth, so once several readings have shown the queue empty, the message is made again
from the row. A queue that is never empty would hide such a loss, so what has been open for long is
sent anew before its retention, which counts from the first send, can end.
"""

from __future__ import annotations

import itertools
import logging
import uuid
from datetime import timedelta

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.dynamodb import Unwritten
from aws_parallelizer.core import message, task
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import OPEN, State
from aws_parallelizer.core.task import Task
from chalicelib.context import Context

log = logging.getLogger(__name__)

AGED = timedelta(days=10)  # SQS keeps a message for 14
_PAUSE = timedelta(hours=6)
_FRESH = timedelta(minutes=3)  # workers beat each minute
LIMIT = 500  # tasks a time; the others follow when the readings show them lost again


def send_anew(context: Context, job: Job) -> int:
    """Send up to LIMIT of the job's open tasks anew; how many.

    Only rows that have not changed for longer than a lease: what a worker has just taken, or an
    enqueue has just written, may have its message on the way. What a worker that lives says it is
    at is not lost, whatever SQS counts.
    """
    lease = timedelta(seconds=job.parameters.visibility_timeout)
    sent = _send_anew(context, job, older_than=lease, busy=_busy(context, job))
    log.warning("%d tasks of job %s were lost by the queue and sent anew", sent, job.name)
    return sent


def send_aged_anew(context: Context, job: Job) -> int:
    """Send up to LIMIT tasks anew that have been open for AGED, four times a day at most; how many.

    To be called at every tick. A message that still was in the queue is then there twice, and the
    worker that gets the second one drops it.
    """
    now = context.now()
    if job.stopped or job.deleting or now - job.created < AGED:
        return 0
    seconds, owner = _PAUSE.total_seconds(), uuid.uuid4().hex
    try:
        if not context.registry.take_lease(
            f"aged-{job.name}", owner=owner, now=now, seconds=seconds
        ):
            return 0
        sent = _send_anew(context, job, older_than=AGED)
    except (*CALL_FAILED, Unwritten) as error:
        # Their messages are good for four more days: the next look sends them.
        log.warning("what is open for long in job %s could not be sent: %s", job.name, error)
        return 0
    if sent:
        log.warning("%d tasks of job %s were open for %s: sent anew", sent, job.name, AGED)
    return sent


def _busy(context: Context, job: Job) -> frozenset[str]:
    """Ids of the instances whose workers say that tasks run on them."""
    now = context.now()
    beats = context.registry.beats(job.name)
    return frozenset(beat.instance for beat in beats if beat.running and now - beat.seen < _FRESH)


def _send_anew(
    context: Context, job: Job, *, older_than: timedelta, busy: frozenset[str] = frozenset()
) -> int:
    now = context.now()
    until = now - older_than
    keys = context.ledger.in_states(job.name, OPEN, until=until, limit=LIMIT)
    rows = context.ledger.get_many(job.name, itertools.islice(keys, LIMIT))
    renewed = [
        task.send_anew(row, now=now)
        for row in rows.values()
        if row.state in OPEN and not (row.state is State.RUNNING and row.instance in busy)
    ]
    written = [row for row in context.ledger.write(renewed) if row]
    return sum(context.queue(job.queue_url).send([_body(row) for row in written]))


def _body(row: Task) -> str:
    return message.encode(
        Message(key=row.key, bucket=row.bucket, job=row.job, etag=row.etag, size=row.size)
    )
