"""What the dead-letter queue caught: messages whose workers were lost again and again.

Their tasks become `failed`, with the reason in the ledger; then the message goes. A row is written
before its message is deleted, so a crash in between leads to a repetition that changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from aws_parallelizer.aws.sqs import BATCH, Queue, Received
from aws_parallelizer.core import message, task
from aws_parallelizer.core.errors import MessageError
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.task import Task
from chalicelib.context import Context

log = logging.getLogger(__name__)

LIMIT = 300  # messages a tick: there are other jobs to look after
_LEASE_SECONDS = 60  # what one batch takes at the very most


class _Letter(NamedTuple):
    received: Received
    message: Message


def drain(context: Context, job: Job) -> int:
    """Turn up to LIMIT dead letters of the job into failed tasks; how many went."""
    queue = context.queue(job.dead_letter_url)
    gone = 0
    for _ in range(LIMIT // BATCH):
        batch = queue.receive(BATCH, wait_seconds=0, lease_seconds=_LEASE_SECONDS)
        if not batch:
            break
        gone += _settle(context, job, queue, batch)
    return gone


def _settle(context: Context, job: Job, queue: Queue, batch: Sequence[Received]) -> int:
    letters, handles = _read(job, batch)
    rows = context.ledger.get_many(job.name, [letter.message.key for letter in letters])
    failed = {}
    for letter in letters:
        row = _failed(context, rows.get(letter.message.key), letter)
        if row is None:
            handles.append(letter.received.handle)  # its task has ended, or is another generation
        else:
            failed[letter.received.handle] = row
    written = context.ledger.write(list(failed.values()))
    # One whose row another writer changed meanwhile stays in the queue, for the next tick.
    handles += [handle for handle, row in zip(failed, written, strict=True) if row]
    return sum(queue.delete(handles))


def _read(job: Job, batch: Sequence[Received]) -> tuple[list[_Letter], list[str]]:
    """(tasks, handles of what is none). Of two letters for one key the second waits for a tick."""
    letters: dict[str, _Letter] = {}
    strange: list[str] = []
    for received in batch:
        try:
            found = message.decode(received.body, job=job.name)
        except MessageError as error:
            log.warning("message %s of job %s is dropped: %s", received.message_id, job.name, error)
            strange.append(received.handle)
            continue
        known = msgspec.structs.replace(
            found, job=job.name, bucket=found.bucket or job.parameters.input_bucket or ""
        )
        letters.setdefault(known.key, _Letter(received, known))
    return list(letters.values()), strange


def _failed(context: Context, row: Task | None, letter: _Letter) -> Task | None:
    now = context.now()
    found = row or task.enqueue(None, letter.message, sequencer="", now=now)
    if found is None or (letter.message.etag and letter.message.etag != found.etag):
        return None
    return task.dead_letter(found, receives=letter.received.receives, now=now)
