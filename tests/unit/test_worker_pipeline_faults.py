"""The pipeline on fakes: services that fail, leases that are lost, messages that are odd."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from aws_parallelizer.aws.dynamodb import Document, Key
from aws_parallelizer.aws.object_errors import ObjectFailure
from aws_parallelizer.aws.sqs import Received
from aws_parallelizer.core import message
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.worker.pipeline import QueueGone
from pipelines import JOB, Plant, until_true

COPY = 'cp "$1" "$1.out"; echo "$1.out"'


def service_error(code: str = "InternalError") -> ClientError:
    return ClientError({"Error": {"Code": code}}, "Something")


def test_defect_6_and_7_every_slot_survives_every_service_error(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    for number in range(12):
        plant.put(f"data/{number}", b"body")
    plant.queue.failures = [service_error(), EndpointConnectionError(endpoint_url="x")] * 2
    plant.objects.failures = [ObjectFailure("503 SlowDown")] * 8
    plant.run()
    rows = [plant.row(f"data/{number}") for number in range(12)]
    assert {(row.state, row.attempts) for row in rows} == {(State.DONE, 1)}


def test_a_ledger_that_fails_for_a_while_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant(tmp_path, COPY)
    for number in range(12):
        plant.put(f"data/{number}", b"body")
    failures = [service_error("ProvisionedThroughputExceededException")] * 6
    write, lock = plant.table.write, threading.Lock()

    def failing(documents: object) -> list[bool]:
        with lock:
            failure = failures.pop() if failures else None
        if failure:
            raise failure
        return write(documents)  # type: ignore[arg-type]

    monkeypatch.setattr(plant.table, "write", failing)
    plant.run()
    assert {plant.row(f"data/{number}").state for number in range(12)} == {State.DONE}
    assert plant.queue.counts().total == 0


def test_defect_7_a_download_that_goes_on_failing_fails_the_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant(tmp_path, COPY, max_attempts=1)
    plant.put("data/a")

    async def failing(*_arguments: object, **_more: object) -> None:
        raise ObjectFailure("503 SlowDown")

    monkeypatch.setattr(plant.objects, "download", failing)
    plant.run()
    row = plant.row("data/a")
    assert (row.state, row.outcome) == (State.FAILED, Outcome.INFRASTRUCTURE)


def test_a_worker_that_lost_its_lease_cannot_overwrite_a_later_result(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plant = Plant(tmp_path, f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; exit 1")
    plant.put("data/a")

    async def another_takes_over() -> None:
        await until_true(lambda: plant.row("data/a").state == State.RUNNING)
        assert plant.ledger
        done = msgspec.structs.replace(plant.row("data/a"), state=State.DONE, instance="i-2")
        assert plant.ledger.write([done])[0]
        (tmp_path / "go").touch()

    with caplog.at_level(logging.WARNING):
        plant.run(meanwhile=another_takes_over)
    assert (plant.row("data/a").state, plant.row("data/a").instance) == (State.DONE, "i-2")
    assert plant.queue.counts().in_flight == 1  # not ours to delete
    assert "the lease was lost" in caplog.text


def test_tasks_that_cannot_be_claimed_are_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant(tmp_path, COPY, visibility_timeout=1, idle_timeout=2)
    plant.put("data/a")
    get_many = plant.table.get_many
    failures = [KeyError("nobody foresaw this")]

    def failing_once(keys: Iterable[Key]) -> dict[Key, Document]:
        if failures:
            raise failures.pop()
        return get_many(keys)

    monkeypatch.setattr(plant.table, "get_many", failing_once)
    plant.run()
    assert plant.row("data/a").state == State.DONE


def test_a_message_that_is_no_task_is_left_and_holds_nobody_up(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    plant.queue.send(['{"v": 99, "key": "x"}', "x" * 256 * 1024, '{"Event": "s3:TestEvent"}'])
    plant.put("data/a")
    plant.run()
    assert plant.row("data/a").state == State.DONE
    assert plant.queue.counts().in_flight == 3
    assert len(plant.table.documents) == 1


def test_a_message_of_another_job_is_no_task_of_this_one(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    plant.put("data/a")
    plant.put("data/b")
    plant.queue.delete([each.handle for each in plant.queue.receive(10, wait_seconds=0)])
    for key, job in (("data/a", JOB), ("data/b", "other")):
        plant.queue.send([message.encode(Message(key=key, bucket="in", job=job))])
    plant.run()
    assert plant.row("data/a").state == State.DONE
    assert (plant.row("data/b").state, plant.row("data/b").instance) == (State.QUEUED, "")
    assert plant.queue.counts().in_flight == 1


def test_a_message_that_comes_twice_at_once_is_one_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant(tmp_path, COPY)
    receive = plant.queue.receive

    def twice(*arguments: object, **more: object) -> list[Received]:
        received = receive(*arguments, **more)  # type: ignore[arg-type]
        return [*received, *received]

    monkeypatch.setattr(plant.queue, "receive", twice)
    plant.put("data/a", b"body")
    plant.run()
    row = plant.row("data/a")
    assert (row.state, row.attempts) == (State.DONE, 1)
    assert plant.output("results/a.out") == b"body"
    assert plant.queue.counts().total == 0
    assert plant.left == []


def test_a_row_of_long_ago_lets_no_task_be_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant(tmp_path, f"echo run >> {tmp_path}/runs")
    plant.put("data/a")
    long_ago = dict(plant.table.documents)
    plant.run()
    plant.put("data/b")
    plant.queue.send([message.encode(Message(key="data/a", bucket="in", job=JOB))])
    get_many, looks = plant.table.get_many, iter(range(2))

    def stale(keys: Iterable[Key]) -> dict[Key, Document]:
        return get_many(keys) | long_ago if next(looks, None) is not None else get_many(keys)

    monkeypatch.setattr(plant.table, "get_many", stale)
    plant.run()
    assert (tmp_path / "runs").read_text() == "run\nrun\n"
    assert plant.row("data/a").version == 3
    assert plant.row("data/b").state == State.DONE
    assert plant.queue.counts().total == 0


def test_a_queue_that_is_gone_ends_the_worker(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    plant.queue.failures = [service_error("QueueDoesNotExist")]
    with pytest.raises(QueueGone):
        plant.run()


def test_defect_8_leases_are_renewed_every_third_and_an_error_does_not_end_that(
    tmp_path: Path,
) -> None:
    plant = Plant(tmp_path, "sleep 1.5", visibility_timeout=1)
    plant.put("data/a")

    async def fail_once() -> None:
        await until_true(lambda: plant.row("data/a").state == State.RUNNING)
        plant.queue.failures = [service_error()]

    plant.run(meanwhile=fail_once)
    row = plant.row("data/a")
    assert (row.state, row.reclaims) == (State.DONE, 0)
    assert len(plant.queue.extended) >= 3
    assert plant.queue.counts().total == 0
