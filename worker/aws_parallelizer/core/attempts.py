"""What an attempt changes in a task's row: its claim, its end, and when the next may be. Pure, as
all of task.py, where the ways of a row are drawn.
"""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta

import msgspec

from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import OPEN, Outcome, State
from aws_parallelizer.core.task import Ended, Task, queued


class Start(msgspec.Struct, frozen=True):
    """Run it: this row is written first."""

    task: Task


class Drop(msgspec.Struct, frozen=True):
    """Delete the message: its work is done, gone, or in another message's hands."""

    why: str


Claim = Start | Drop


def claim(
    row: Task | None,
    message: Message,
    *,
    message_id: str,
    instance: str,
    environment: str,
    now: datetime,
) -> Claim:
    """Whether the bearer of `message` is to run it.

    A row that runs under the same message was left by a worker whose lease ran out: it is taken
    over. A row that runs under another message is that one's business, and that one comes back if
    its bearer dies.
    """
    if row is None:
        row = queued(message, sequencer="", now=now)
    if message.etag and row.etag != message.etag:
        return Drop("a newer object has taken its place")
    if row.state not in OPEN:
        return Drop(f"it is {row.state} already")
    if row.state == State.RUNNING and row.message_id != message_id:
        return Drop("another message of this task is being worked on")
    return Start(
        msgspec.structs.replace(
            row,
            state=State.RUNNING,
            since=now,
            started=now,
            finished=None,
            seconds=None,
            exit_code=None,
            instance=instance,
            environment=environment,
            message_id=message_id,
            reclaims=row.reclaims + (row.state == State.RUNNING),
        )
    )


def end(row: Task, ended: Ended, *, max_attempts: int, now: datetime) -> Task:
    """The row after an attempt: done, skipped, failed for good, or queued for the next attempt."""
    counted = ended.outcome not in (Outcome.INTERRUPTED, Outcome.INPUT_MISSING)
    attempts = row.attempts + counted
    state = _state_after(ended.outcome, attempts=attempts, max_attempts=max_attempts)
    done = state == State.DONE
    return msgspec.structs.replace(
        row,
        etag=ended.etag if done and ended.etag else row.etag,
        size=ended.size if done and ended.size is not None else row.size,
        state=state,
        since=now,
        attempts=attempts,
        reclaims=row.reclaims + (ended.outcome == Outcome.INTERRUPTED),
        memory_kills=row.memory_kills + (ended.outcome == Outcome.OUT_OF_MEMORY),
        outcome=ended.outcome,
        exit_code=ended.exit_code,
        reason=ended.reason,
        seconds=ended.seconds,
        last_output=ended.last_output,
        outputs=ended.outputs,
        outputs_omitted=0,
        log_key=ended.log_key,
        finished=now,
    )


def _state_after(outcome: Outcome, *, attempts: int, max_attempts: int) -> State:
    if outcome == Outcome.DONE:
        return State.DONE
    if outcome == Outcome.INPUT_MISSING:
        return State.SKIPPED
    if outcome == Outcome.INTERRUPTED or attempts < max_attempts:
        return State.QUEUED
    return State.FAILED


def retry_delay(task: Task) -> timedelta:
    """How long a task that `end` queued again stays invisible: nothing after an interruption, else
    doubling from 1 s, and after an infrastructure error from 60 s less up to half of it.

    What AWS fails at, it fails at for minutes and for all tasks at once: they are not to use up
    their attempts by then, nor to come back together.
    """
    if task.outcome == Outcome.INTERRUPTED:
        return timedelta(0)
    doubled = 2 ** (task.attempts - 1)
    if task.outcome != Outcome.INFRASTRUCTURE:
        return timedelta(seconds=min(60, doubled))
    spread = zlib.crc32(f"{task.attempts} {task.key}".encode()) / 2**32
    return timedelta(seconds=min(900, 60 * doubled) * (1 - spread / 2))
