"""From an object to a task: first the ledger's row, then the message in the work queue.

A crash between the two leaves a row without a message. Whoever is told of the object again, and
knows that it may have been so (`since`), sends the message then; a message too many is dropped by
the worker that claims it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from aws_parallelizer.core import keys, message
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import State
from aws_parallelizer.core.task import Task
from chalicelib.context import Context

_TRIES = 5  # to write rows that others write too


class Arrival(NamedTuple):
    """An object of a job. A queued row of `since` or later may have got no message yet."""

    message: Message
    sequencer: str = ""
    since: datetime | None = None


Decide = Callable[[Task | None, Arrival], Task | None]


def take_in(
    context: Context, job: Job, arrivals: Sequence[Arrival], *, decide: Decide
) -> list[bool]:
    """Make tasks of what `decide` says; for each arrival, whether all is written and sent.

    Raises what the ledger and the queue raise.
    """
    safe = [False] * len(arrivals)
    for turn in _turns(arrivals):
        taken = _Turn(context, job, {i: arrivals[i] for i in turn}, decide).run()
        for i in taken:
            safe[i] = True
    return safe


def _turns(arrivals: Sequence[Arrival]) -> Iterable[list[int]]:
    """The arrivals' numbers in turns in which no key comes twice, in their order."""
    turns: list[list[int]] = []
    seen: dict[str, int] = {}
    for i, arrival in enumerate(arrivals):
        turn = seen.get(arrival.message.key, 0)
        seen[arrival.message.key] = turn + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(i)
    return turns


class _Turn:
    """Arrivals of different keys on their way into the ledger and the queue."""

    def __init__(
        self, context: Context, job: Job, arrivals: dict[int, Arrival], decide: Decide
    ) -> None:
        self._context = context
        self._job = job
        self._pending = arrivals
        self._decide = decide
        self._to_send: dict[int, Task] = {}
        self._safe: list[int] = []

    def run(self) -> list[int]:
        """The numbers of the arrivals that are written and, where they should be, sent."""
        self._pass_over_markers()
        for _ in range(_TRIES):
            if not self._pending:
                break
            self._write()
        self._send()
        return self._safe

    def _pass_over_markers(self) -> None:
        for i, arrival in list(self._pending.items()):
            if keys.is_directory_marker(arrival.message.key, arrival.message.size):
                self._settle(i)

    def _write(self) -> None:
        wanted = [arrival.message.key for arrival in self._pending.values()]
        rows = self._context.ledger.get_many(self._job.name, wanted)
        changes: dict[int, Task] = {}
        for i, arrival in list(self._pending.items()):
            row = rows.get(arrival.message.key)
            changed = self._decide(row, arrival)
            if changed:
                changes[i] = changed
            else:
                self._settle(i, row if row and _unsent(row, arrival) else None)
        written = self._context.ledger.write(list(changes.values()))
        for i, stored in zip(changes, written, strict=True):
            if stored:
                self._settle(i, stored if stored.state == State.QUEUED else None)

    def _settle(self, i: int, to_send: Task | None = None) -> None:
        del self._pending[i]
        if to_send:
            self._to_send[i] = to_send
        else:
            self._safe.append(i)

    def _send(self) -> None:
        bodies = [message.encode(_message(row)) for row in self._to_send.values()]
        sent = self._context.queue(self._job.queue_url).send(bodies)
        self._safe.extend(i for i, taken in zip(self._to_send, sent, strict=True) if taken)


def _unsent(row: Task, arrival: Arrival) -> bool:
    return (
        row.state == State.QUEUED
        and row.started is None
        and row.etag == arrival.message.etag
        and arrival.since is not None
        and row.enqueued >= arrival.since
    )


def _message(row: Task) -> Message:
    return Message(job=row.job, bucket=row.bucket, key=row.key, etag=row.etag, size=row.size)
