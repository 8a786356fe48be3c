"""Counting while tasks move: the numbers of a job that has ended are exact."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.core import task
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import State
from aws_parallelizer.core.task import Task
from fakes.table import FakeTable


class Busy(FakeTable):
    """A table whose one running task is done between two queries, `after` so many of them."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def count_in_state(self, state: str) -> int:
        self.left -= 1
        if self.left == 0:
            [standing] = self.documents.values()
            self.documents.clear()
            row = msgspec.structs.replace(task.decode(standing.text), state=State.DONE, version=0)
            Ledger(self).write([row])  # type: ignore[arg-type]
        return super().count_in_state(state)


def running() -> Task:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    row = task.enqueue(None, Message(job="j", bucket="b", key="k"), sequencer="", now=now)
    assert row is not None
    return msgspec.structs.replace(row, state=State.RUNNING)


def test_a_task_that_ends_while_it_is_counted_is_counted_once() -> None:
    for after in range(1, 80):
        ledger = Ledger(Busy(after))  # type: ignore[arg-type]
        ledger.write([running()])
        counts = ledger.counts("j")
        open_ones = counts[State.RUNNING] + counts[State.QUEUED]
        assert open_ones + counts[State.DONE] == 1, after
