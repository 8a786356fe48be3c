"""SQS ends a lease 12 hours after the receive, however often it was renewed."""

from __future__ import annotations

from pathlib import Path

import pytest

from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.worker import attempt, work
from pipelines import Plant


def test_a_task_that_would_outlive_its_lease_is_ended_before_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "MAX_VISIBILITY_SECONDS", attempt._CLOSING_SECONDS + 1)
    plant = Plant(tmp_path, "sleep 60", max_attempts=1)
    plant.put("data/a")
    plant.run()
    row = plant.row("data/a")
    assert (row.state, row.outcome, row.attempts) == (State.FAILED, Outcome.TIMEOUT, 1)
    assert "12 hours" in row.reason
    assert plant.queue.counts().total == 0
