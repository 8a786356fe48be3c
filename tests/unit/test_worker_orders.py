"""What the control plane orders of a worker by its job's row, and how the worker obeys."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.worker import orders
from aws_parallelizer.worker.offload import Offload
from aws_parallelizer.worker.orders import Order
from aws_parallelizer.worker.stopping import Stop
from fakes.table import FakeTable
from pipelines import JOB, Plant, until_true

PARAMETERS = Parameters(environment_zip="e.zip", analysis_program="run.sh")


def job(**wished: Any) -> Job:
    return Job(name=JOB, parameters=PARAMETERS, created=datetime.now(UTC), **wished)


@pytest.mark.parametrize(
    ("row", "order"),
    [
        (job(), Order()),
        (job(paused=True), Order("the job is paused")),
        (job(hold="the budget of $5 is spent"), Order("", end=True)),
        (job(stopped=True), Order("the job is stopped", end=True)),
        (job(deleting=True), Order("the job is being deleted", end=True)),
        (job(paused=True, hold="the budget of $5 is spent"), Order("", end=True)),
        (job(paused=True, stopped=True), Order("the job is stopped", end=True)),
        (None, Order("the job is deleted", end=True)),
    ],
)
def test_a_row_is_an_order(row: Job | None, order: Order) -> None:
    found = orders.of(row)
    assert (not found.why) == (row is not None and row.leasing)
    assert found.end == order.end
    assert found.why == (order.why or (row.hold and f"no task may be taken: {row.hold}"))


class Desk:
    """A job's row that a test changes, and the worker's `Stop` that follows it."""

    def __init__(self, stop: Stop) -> None:
        self.registry = Registry(FakeTable())  # type: ignore[arg-type] - has the table's methods
        self.registry.add_job(job())
        self.stop = stop

    def change(self, **wished: Any) -> None:
        def changed(row: Job) -> Job:
            return job(version=row.version, **wished)

        self.registry.change_job(JOB, changed)

    def during(self, story: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """The story, with the worker following the row meanwhile."""

        async def told() -> None:
            self.following = asyncio.create_task(
                orders.follow(self.registry, JOB, self.stop, offload=Offload(1), every=0.02)
            )
            await story()

        return told


def begun(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("begun-*")}


def test_a_pause_lets_running_tasks_end_starts_none_and_a_resume_goes_on(tmp_path: Path) -> None:
    plant = Plant(
        tmp_path,
        f"touch {tmp_path}/begun-$1; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done",
        idle_timeout=20,
    )
    for number in range(6):
        plant.put(f"data/{number}")
    desk = Desk(plant.stop)

    async def story() -> None:
        await until_true(lambda: len(begun(tmp_path)) == 2)
        desk.change(paused=True)
        await until_true(plant.stop.holding.is_set)
        (tmp_path / "go").touch()
        rows = [f"data/{number}" for number in range(6)]
        await until_true(lambda: [plant.row(key).state for key in rows].count(State.DONE) == 2)
        await until_true(lambda: plant.queue.counts().visible == 4)
        receives = plant.queue.calls.count("receive")
        await asyncio.sleep(0.3)  # to see that nothing happens there is no condition to wait for
        assert plant.queue.calls.count("receive") == receives
        assert len(begun(tmp_path)) == 2
        desk.change()
        await until_true(lambda: [plant.row(key).state for key in rows].count(State.DONE) == 6)
        desk.change(stopped=True)

    assert plant.run(slots=2, meanwhile=desk.during(story)) == "the job is stopped"
    rows = [plant.row(f"data/{number}") for number in range(6)]
    assert {(row.state, row.attempts) for row in rows} == {(State.DONE, 1)}
    assert plant.queue.counts().total == 0


@pytest.mark.parametrize("end", [True, False])
def test_what_was_leased_ahead_and_not_begun_goes_back_uncounted(end: bool, tmp_path: Path) -> None:
    plant = Plant(
        tmp_path,
        f"touch {tmp_path}/begun-$1; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done",
        idle_timeout=2,
    )
    plant.at_once = 1
    keys = [f"data/{number}" for number in range(6)]
    for key in keys:
        plant.put(key)

    def states() -> list[State]:
        return [plant.row(key).state for key in keys]

    async def story() -> None:
        await until_true(lambda: states() == [State.RUNNING] * 6)
        await until_true(lambda: len(begun(tmp_path)) == 1)
        orders.obey(Order("the job is paused", end=end), plant.stop)
        await until_true(lambda: plant.queue.counts().visible == 5)
        assert states().count(State.QUEUED) == 5  # for the ledger is told first
        (tmp_path / "go").touch()

    assert plant.run(slots=6, meanwhile=story).startswith("the job is paused")
    assert len(begun(tmp_path)) == 1
    rows = [plant.row(key) for key in keys]
    assert sorted((row.state, row.attempts, row.outcome) for row in rows) == [
        (State.DONE, 1, Outcome.DONE),
        *[(State.QUEUED, 0, Outcome.INTERRUPTED)] * 5,
    ]
    assert {row.reason for row in rows if row.state == State.QUEUED} == {"the job is paused"}
    assert plant.left == []


def test_a_worker_that_may_lease_nothing_ends_as_on_an_empty_queue(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "true", idle_timeout=1)
    plant.put("data/a")
    plant.stop.hold("the job is paused")
    assert plant.run() == "the job is paused, and for 1 s there was no work"
    assert plant.row("data/a").state == State.QUEUED
    assert "receive" not in plant.queue.calls


@pytest.mark.parametrize(
    ("wished", "why"),
    [
        ({"stopped": True}, "the job is stopped"),
        ({"deleting": True}, "the job is being deleted"),
        ({"hold": "the budget of $5 is spent"}, "no task may be taken: the budget of $5 is spent"),
    ],
)
def test_a_worker_of_a_job_that_is_over_waits_for_nothing_and_finishes_what_runs(
    wished: dict[str, Any], why: str, tmp_path: Path
) -> None:
    plant = Plant(
        tmp_path,
        f"touch {tmp_path}/begun-$1; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done",
        idle_timeout=1000,
    )
    for name in ("a", "b", "c"):
        plant.put(f"data/{name}")
    desk = Desk(plant.stop)

    async def story() -> None:
        await until_true(lambda: len(begun(tmp_path)) == 1)
        desk.change(**wished)
        await until_true(plant.stop.draining.is_set)
        (tmp_path / "go").touch()

    assert plant.run(slots=1, meanwhile=desk.during(story)) == why
    rows = [plant.row(f"data/{name}") for name in ("a", "b", "c")]
    assert sorted(row.state for row in rows) == [State.DONE, State.QUEUED, State.QUEUED]
    assert {(row.outcome, row.attempts) for row in rows} <= {
        (Outcome.DONE, 1),
        (Outcome.INTERRUPTED, 0),
        (None, 0),
    }
    assert plant.queue.counts().visible == 2


def test_a_worker_of_a_deleted_job_drains() -> None:
    stop = Stop()
    desk = Desk(stop)

    async def story() -> None:
        desk.registry.remove_job(desk.registry.job(JOB))
        await until_true(stop.draining.is_set)

    asyncio.run(desk.during(story)())
    assert stop.reason == "the job is deleted"


def test_an_order_that_cannot_be_read_changes_nothing_and_is_read_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop = Stop()
    desk = Desk(stop)
    refused = ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")
    failures: list[Exception] = [refused, RuntimeError("nobody foresaw it")]
    read = desk.registry.job

    def failing(name: str) -> Job:
        if failures:
            raise failures.pop(0)
        return read(name)

    desk.registry.job = failing  # type: ignore[method-assign]

    async def story() -> None:
        await until_true(lambda: not failures)
        assert not stop.holding.is_set()
        desk.change(paused=True)
        await until_true(stop.holding.is_set)

    with caplog.at_level(logging.WARNING):
        asyncio.run(desk.during(story)())
    assert caplog.text.count("could not be read") == 2


def test_who_drains_does_not_begin_again() -> None:
    stop = Stop()
    stop.hold("the job is paused")
    stop.drain("a spot notice")
    stop.resume()
    assert stop.holding.is_set()
    assert stop.why == "a spot notice"
