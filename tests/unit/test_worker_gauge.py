"""How much a worker asks for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aws_parallelizer.core.outcome import State
from aws_parallelizer.core.task import Task
from aws_parallelizer.worker.gauge import Gauge
from aws_parallelizer.worker.work import Phase, Work

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROW = Task(
    job="j", key="k", bucket="b", etag="e", size=0, state=State.RUNNING, since=NOW, enqueued=NOW
)


def work(phase: Phase, at_once: int = 100) -> Work:
    return Work(
        task=ROW, handle="h", taken=0.0, at_once=at_once, notify=lambda _work: None, phase=phase
    )


@pytest.mark.parametrize(
    ("seconds", "waiting", "storing", "claiming", "room"),
    [
        (None, 0, 0, 0, 2),  # nothing is known: no more than can run
        (None, 1, 0, 0, 1),
        (None, 1, 0, 1, 0),
        (60.0, 0, 2, 0, 2),  # long tasks: as soon as a slot is free, though uploads go on
        (60.0, 2, 0, 0, 0),  # and nothing is held hostage
        (60.0, 1, 3, 0, 0),  # but not without end
        (1.0, 2, 0, 0, 4),  # short tasks: two seconds of work ahead
        (0.01, 0, 0, 0, 10),
        (0.01, 90, 0, 0, 10),
        (0.01, 95, 0, 0, 0),  # a call for few is not worth it yet
    ],
)
def test_only_what_can_start_soon_is_asked_for(
    seconds: float | None, waiting: int, storing: int, claiming: int, room: int
) -> None:
    gauge = Gauge(2)
    if seconds:
        gauge.ran(seconds)
    for phase in (*[Phase.WAITING] * waiting, *[Phase.STORING] * storing):
        gauge.add(work(phase))
    gauge.claiming = claiming
    assert gauge.room() == room


def test_beside_a_task_that_needs_empty_slots_only_the_others_are_filled() -> None:
    gauge = Gauge(8)
    gauge.ran(0.01)
    running, preparing = work(Phase.RUNNING, at_once=4), work(Phase.PREPARING, at_once=1)
    gauge.add(running)
    assert gauge.room() == 3
    gauge.add(preparing)
    assert gauge.room() == 0
    gauge.remove(running)
    preparing.phase = Phase.STORING
    gauge.note(preparing)
    assert gauge.room() > 0
