"""The gateways when AWS answers with errors: what is tried again, what is refused, what is said."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

import faulty
from aws_parallelizer.aws.dynamodb import Document, Key, Table, Unwritten
from aws_parallelizer.aws.sqs import Queue
from aws_parallelizer.core.outcome import State
from aws_parallelizer.worker.leases import Leases
from aws_parallelizer.worker.offload import Offload
from faulty import Faults
from pipelines import Plant
from waiting import until


def stored(table: Table, *names: str) -> list[Document]:
    """New documents, as they stand in the table."""
    assert all(table.write([Document(Key("p", name), 0, "old") for name in names]))
    return [Document(Key("p", name), 1, "new") for name in names]


def refuse(dynamodb: Faults, *codes: str) -> None:
    """The next batch of writes is answered so, a code for each write; "" = written."""
    responses = [{"Error": {"Code": code, "Message": "so"}} if code else {} for code in codes]
    dynamodb.answer("BatchExecuteStatement", {"Responses": responses})


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "InternalServerError"])
def test_a_write_that_met_another_or_no_capacity_is_made_again(
    dynamodb: Faults, table: Table, code: str
) -> None:
    documents = stored(table, "a", "b")
    refuse(dynamodb, code, code)
    assert table.write(documents) == [True, True]
    assert dynamodb.sent["BatchExecuteStatement"] == 2
    assert {name: table.get(Key("p", name)).text for name in "ab"} == {"a": "new", "b": "new"}  # type: ignore[union-attr]


def test_a_write_whose_condition_fails_is_refused_once_and_not_made_again(
    dynamodb: Faults, table: Table
) -> None:
    [document] = stored(table, "a")
    refuse(dynamodb, "ConditionalCheckFailed")
    assert table.write([document]) == [False]
    assert dynamodb.sent["BatchExecuteStatement"] == 1


def test_a_write_that_is_wrong_in_itself_is_an_error_and_not_a_refusal(
    dynamodb: Faults, table: Table
) -> None:
    [document] = stored(table, "a")
    refuse(dynamodb, "ValidationError")
    with pytest.raises(Unwritten, match="ValidationError"):
        table.write([document])


def test_a_table_that_throttles_a_whole_batch_is_asked_again_by_the_sdk(
    dynamodb: Faults, table: Table
) -> None:
    [document] = stored(table, "a")
    dynamodb.fail("BatchExecuteStatement", "ProvisionedThroughputExceededException")
    assert table.write([document]) == [True]


def test_a_write_whose_answer_never_came_is_made_once(dynamodb: Faults, table: Table) -> None:
    [document] = stored(table, "a")
    send = dynamodb.client.batch_execute_statement

    def lost(**arguments: Any) -> Any:
        dynamodb.client.batch_execute_statement = send
        send(**arguments)  # DynamoDB carries it out, and the SDK sends it again
        return send(**arguments)

    dynamodb.client.batch_execute_statement = lost
    assert table.write([document]) == [True]
    found = table.get(Key("p", "a"))
    assert found
    assert found.version == 2


@pytest.fixture
def sqs(endpoint: str) -> Faults:
    return faulty.client("sqs", endpoint, attempts=1)


@pytest.fixture
def queue(sqs: Faults) -> Queue:
    url = sqs.client.create_queue(QueueName=f"q-{uuid.uuid4()}")["QueueUrl"]
    return Queue(sqs.client, url=url)


def test_a_lease_that_the_network_kept_from_being_renewed_is_renewed_all_the_same(
    sqs: Faults, queue: Queue
) -> None:
    queue.send(["a"])
    [received] = queue.receive(1, wait_seconds=0, lease_seconds=2)
    sqs.hang("ChangeMessageVisibilityBatch")
    sqs.fail("ChangeMessageVisibilityBatch", "InternalError", status=503)

    async def work() -> None:
        leases = Leases(queue, offload=Offload(1), seconds=2)
        leases.hold(received.handle, taken=time.monotonic())
        keeping = asyncio.create_task(leases.keep())
        await asyncio.to_thread(renewed)
        keeping.cancel()

    def renewed() -> None:
        sent = sqs.sent
        until(lambda: sent["ChangeMessageVisibilityBatch"] >= 4, seconds=60, what="renewals")

    asyncio.run(work())
    assert queue.receive(1, wait_seconds=0) == []


def test_a_worker_that_meets_the_limit_of_messages_in_flight_waits_and_goes_on(
    sqs: Faults, queue: Queue, tmp_path: Path
) -> None:
    plant = Plant(tmp_path, "true")
    plant.queue = queue  # type: ignore[assignment]
    plant.put("data/a")
    sqs.fail("ReceiveMessage", "OverLimit", status=403, times=2)
    plant.run()
    assert plant.row("data/a").state == State.DONE
    assert queue.counts().total == 0


def test_a_worker_ends_when_its_queue_is_gone(sqs: Faults, queue: Queue, tmp_path: Path) -> None:
    plant = Plant(tmp_path, "true")
    plant.queue = queue  # type: ignore[assignment]
    sqs.client.delete_queue(QueueUrl=queue.url)
    with pytest.raises(Exception, match="the queue is gone"):
        plant.run()
