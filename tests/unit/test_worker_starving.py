"""What a machine without room for another process means for a task, and one bad row for others."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from aws_parallelizer.aws.dynamodb import Document
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.worker import program, verdict
from fakes.table import FakeTable
from pipelines import Plant


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE])
def test_a_machine_without_room_for_a_process_is_no_fault_of_the_program(number: int) -> None:
    text = os.strerror(number)
    ended = verdict.of_no_start(OSError(number, text))
    assert ended.outcome == Outcome.INFRASTRUCTURE
    assert ended.reason.startswith("the program cannot be started: ")
    assert text in ended.reason


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.E2BIG])
def test_a_program_that_cannot_be_started_at_all_is_at_fault(number: int) -> None:
    ended = verdict.of_no_start(OSError(number, os.strerror(number)))
    assert ended.outcome == Outcome.PROGRAM_ERROR


def test_a_task_that_found_no_room_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "aws_parallelizer.worker.pipeline.attempts.retry_delay", lambda _row: timedelta()
    )
    started = program.run

    async def once_full(*arguments: object, **more: object) -> object:
        monkeypatch.setattr(program, "run", started)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(program, "run", once_full)
    plant = Plant(tmp_path, "true")
    plant.put("data/a")
    plant.run()
    row = plant.row("data/a")
    assert (row.state, row.attempts) == (State.DONE, 2)


class Picky(FakeTable):
    """Refuses every batch with the document of a key, in a way that nobody foresaw."""

    def __init__(self, refused: str) -> None:
        super().__init__()
        self.refused = refused
        self.refuses = False

    def write(self, documents: Sequence[Document]) -> list[bool]:
        ends = [each for each in documents if '"finished"' in each.text]
        if any(each.key.sort == self.refused for each in ends):
            raise UnicodeEncodeError("utf-8", "x", 0, 1, "surrogates not allowed")
        return super().write(documents)


def test_a_row_that_cannot_be_written_costs_its_neighbours_nothing(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "true")
    plant.table = Picky("data/3")
    plant.ledger = Ledger(plant.table)
    for number in range(10):
        plant.put(f"data/{number}")
    plant.run(slots=8)
    states = [plant.row(f"data/{number}").state for number in range(10)]
    assert states.count(State.DONE) == 9
    assert states[3] == State.RUNNING  # its message comes back when the lease runs out
    assert plant.queue.counts().total == 1
