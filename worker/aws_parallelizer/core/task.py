"""A task's row in the ledger, and every way in which it may change; what workers change of it
stands in attempts.py.

    (none) ──enqueue──> queued ──claim──> running ──> done | failed | skipped
                          ^                  │
                          ├── another attempt, interrupted, newer object, sent anew
                          └── retry: a person asked for it, of failed and skipped ones

Pure: each function takes the row as it was read and returns the row to write, or None where nothing
is to change. The writer makes each write conditional on `version`, so that of two writers who read
the same row one is refused and must read again: a worker that lost its lease cannot overwrite a
later result.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import OPEN, RETRIABLE, Outcome, State

LAST_OUTPUT_BYTES = 4096
_S3_CLOCK_STEP = timedelta(seconds=1)  # to which it rounds down when an object was modified
MAX_ROW_BYTES = 380_000  # a DynamoDB item has at most 400 KB, its keys included


class Output(msgspec.Struct, frozen=True):
    """One stored output. `checksum` is `sha256:<hex>` of its bytes."""

    key: str
    size: int
    checksum: str


class Task(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A task's row. Times are UTC. `version` counts its writes, 0 = not yet stored; `retries` how
    often a person had this generation tried again, each time with a fresh count of attempts;
    `memory_kills` how many of those attempts ended `out-of-memory`.
    """

    job: str
    key: str
    bucket: str
    etag: str
    size: int
    state: State
    since: datetime
    enqueued: datetime
    sequencer: str = ""
    generation: int = 1
    attempts: int = 0
    reclaims: int = 0
    retries: int = 0
    memory_kills: int = 0
    outcome: Outcome | None = None
    exit_code: int | None = None
    reason: str = ""
    instance: str = ""
    environment: str = ""
    message_id: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    seconds: float | None = None
    last_output: str = ""
    outputs: tuple[Output, ...] = ()
    outputs_omitted: int = 0
    log_key: str = ""
    version: int = 0


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt came to, as the worker reports it.

    `etag` and `size` are those of the object that was really read: it may be newer than the
    message. They enter the row of a done task, so that the newer object's event finds it done;
    while a task is to be retried its row keeps the generation that its message bears.
    """

    outcome: Outcome
    etag: str = ""
    size: int | None = None
    reason: str = ""
    exit_code: int | None = None
    seconds: float | None = None
    last_output: str = ""
    outputs: tuple[Output, ...] = ()
    log_key: str = ""


def _sequence(text: str) -> str:
    # S3's sequencers are hexadecimal of unequal lengths and compare after padding on the right:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    return text.upper().ljust(64, "0")


def enqueue(row: Task | None, message: Message, *, sequencer: str, now: datetime) -> Task | None:
    """The row after S3 told of an object, or None where the ledger knows of it already.

    `sequencer` is the event's, empty when the object was found by listing.
    """
    if row is None:
        return queued(message, sequencer=sequencer, now=now)
    same = row.etag == message.etag and row.bucket == message.bucket
    if same and not (_was_gone(row) and sequencer):
        return None
    if sequencer and row.sequencer and _sequence(sequencer) <= _sequence(row.sequencer):
        return None
    return _next_generation(row, queued(message, sequencer=sequencer or row.sequencer, now=now))


def enqueue_untold(
    row: Task | None, message: Message, *, modified: datetime, now: datetime
) -> Task | None:
    """The row after a listing showed an object that was last `modified` then; None where an event
    told of it, or where it is a bare key's, of which nobody knows the object.

    An object that went and came again under a running attempt, which did not find it: its event
    found an open task and changed nothing.
    """
    if row is not None and not row.etag:
        return None
    found = enqueue(row, message, sequencer="", now=now)
    if found or row is None or not _was_gone(row) or row.started is None:
        return found
    if modified + _S3_CLOCK_STEP <= row.started:
        return None
    return _next_generation(row, queued(message, sequencer=row.sequencer, now=now))


def _next_generation(row: Task, fresh: Task) -> Task:
    return msgspec.structs.replace(fresh, generation=row.generation + 1, version=row.version)


def _was_gone(row: Task) -> bool:
    return row.state == State.SKIPPED and row.outcome == Outcome.INPUT_MISSING


def queued(message: Message, *, sequencer: str, now: datetime) -> Task:
    """The first row of an object."""
    return Task(
        job=message.job,
        key=message.key,
        bucket=message.bucket,
        etag=message.etag,
        size=message.size,
        state=State.QUEUED,
        since=now,
        enqueued=now,
        sequencer=sequencer,
    )


def enqueue_again(row: Task | None, message: Message, *, now: datetime) -> Task | None:
    """The row after a person asked to enqueue the object: new, changed and failed ones; None for
    all others.
    """
    if row is not None and row.state in RETRIABLE and row.etag == message.etag:
        return _afresh(row, message, now=now)
    return enqueue(row, message, sequencer="", now=now)


def retry(row: Task, *, now: datetime) -> Task | None:
    """The row after a person asked to try the task again: queued, none of its attempts counted.
    None where it has neither failed nor been skipped.
    """
    if row.state not in RETRIABLE:
        return None
    message = Message(job=row.job, bucket=row.bucket, key=row.key, etag=row.etag, size=row.size)
    return _afresh(row, message, now=now)


def _afresh(row: Task, message: Message, *, now: datetime) -> Task:
    fresh = queued(message, sequencer=row.sequencer, now=now)
    return msgspec.structs.replace(
        fresh, generation=row.generation, retries=row.retries + 1, version=row.version
    )


def skip(
    row: Task | None, message: Message, *, sequencer: str, reason: str, now: datetime
) -> Task | None:
    """The row of an object that a job's filter keeps out of the queue; None where it is there
    already.
    """
    fresh = enqueue(row, message, sequencer=sequencer, now=now)
    if fresh is None:
        return None
    return msgspec.structs.replace(fresh, state=State.SKIPPED, reason=reason, finished=now)


def send_anew(row: Task, *, now: datetime) -> Task:
    """The row of an open task whose message the queue has lost: queued, free for any worker."""
    lost = row.state == State.RUNNING
    return msgspec.structs.replace(
        row,
        state=State.QUEUED,
        since=now,
        message_id="",
        outcome=Outcome.INTERRUPTED if lost else row.outcome,
        reclaims=row.reclaims + lost,
    )


def dead_letter(row: Task, *, receives: int, now: datetime) -> Task | None:
    """The row of a task whose message was received too often; None if the task has ended."""
    if row.state not in OPEN:
        return None
    return msgspec.structs.replace(
        row,
        state=State.FAILED,
        since=now,
        finished=now,
        outcome=Outcome.INFRASTRUCTURE,
        reason=f"its workers were lost: it was received {receives} times and never ended",
    )


def encode(task: Task) -> bytes:
    """The row as JSON. Outputs that would make it too large are counted in `outputs_omitted`
    instead.
    """
    encoded = msgspec.json.encode(task)
    while len(encoded) > MAX_ROW_BYTES and task.outputs:
        kept = task.outputs[: len(task.outputs) // 2]
        omitted = task.outputs_omitted + len(task.outputs) - len(kept)
        task = msgspec.structs.replace(task, outputs=kept, outputs_omitted=omitted)
        encoded = msgspec.json.encode(task)
    return encoded


def decode(encoded: str | bytes) -> Task:
    """The row that `encode` wrote."""
    return msgspec.json.decode(encoded, type=Task)
