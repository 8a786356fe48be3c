"""The pipeline on fakes: when it ends, and what becomes of the tasks in hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from aws_parallelizer.aws.dynamodb import Document
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.worker import pipeline
from fakes.table import FakeTable
from pipelines import Plant, until_true

COPY = 'cp "$1" "$1.out"; echo "$1.out"'


def test_a_halt_releases_what_runs_and_counts_nothing(tmp_path: Path) -> None:
    plant = Plant(tmp_path, f"touch {tmp_path}/began; sleep 100")
    for number in range(4):
        plant.put(f"data/{number}")

    async def halt() -> None:
        await until_true((tmp_path / "began").exists)
        plant.stop.halt("SIGTERM")

    started = time.monotonic()
    assert plant.run(meanwhile=halt) == "SIGTERM"
    assert time.monotonic() - started < 60  # the program would take 100
    rows = [plant.row(f"data/{number}") for number in range(4)]
    assert {(row.state, row.attempts) for row in rows} == {(State.QUEUED, 0)}
    assert {(row.outcome, row.reason) for row in rows} <= {
        (Outcome.INTERRUPTED, "SIGTERM"),
        (None, ""),
    }
    assert plant.queue.counts().visible == 4
    assert plant.left == []


class Silent(FakeTable):
    """Answers no write once it is `silent`."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = threading.Event()
        self.over = threading.Event()

    def write(self, documents: Sequence[Document]) -> list[bool]:
        if self.silent.is_set():
            self.over.wait(60)
        return super().write(documents)


def test_a_ledger_that_does_not_answer_keeps_no_worker_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pipeline, "_HALT_SECONDS", 0.2)
    monkeypatch.setattr(pipeline, "_CLOSING_SECONDS", 0.2)
    plant = Plant(tmp_path, f"echo $$ > {tmp_path}/began; exec sleep 100")
    plant.table = table = Silent()
    plant.ledger = Ledger(table)
    plant.put("data/a")

    async def halt() -> None:
        await until_true(lambda: (tmp_path / "began").exists() and plant.row("data/a").started)
        table.silent.set()
        plant.stop.halt("SIGTERM")

    try:
        assert plant.run(meanwhile=halt) == "SIGTERM"
    finally:
        table.over.set()
    assert "1 tasks come back when their leases run out" in caplog.text
    assert not Path("/proc", (tmp_path / "began").read_text().strip()).exists()
    assert plant.queue.counts().in_flight == 1


def test_defect_9_a_queue_that_was_empty_once_does_not_end_a_worker(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY, idle_timeout=8)

    async def later() -> None:
        await until_true(lambda: plant.queue.calls.count("receive") == 2)
        plant.put("data/late")
        await until_true(lambda: plant.row("data/late").state == State.DONE)
        plant.stop.drain("seen enough")

    assert plant.run(meanwhile=later) == "seen enough"


def test_while_draining_short_tasks_finish_and_no_new_one_starts(tmp_path: Path) -> None:
    plant = Plant(tmp_path, f"touch {tmp_path}/began; sleep 0.5")
    for number in range(6):
        plant.put(f"data/{number}")

    async def drain() -> None:
        await until_true((tmp_path / "began").exists)
        plant.stop.drain("a spot notice")

    assert plant.run(slots=1, meanwhile=drain) == "a spot notice"
    states = [plant.row(f"data/{number}").state for number in range(6)]
    assert sorted(states) == [State.DONE] + [State.QUEUED] * 5
    assert plant.queue.counts().visible == 5
