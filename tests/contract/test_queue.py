"""What `Queue` promises, on the fake, on moto and on ministack, by boto3 and the short way."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

import emulator
from aws_parallelizer.aws.quick import QuickClient
from aws_parallelizer.aws.sqs import FREQUENT, Counts, Queue
from fakes.queue import FakeQueue
from waiting import until


@pytest.fixture(params=["fake", "moto", "ministack", "ministack, the short way"])
def queue(request: pytest.FixtureRequest) -> Iterator[Any]:
    name = f"queue-{uuid.uuid4()}"
    if request.param == "fake":
        yield FakeQueue()
    elif request.param.startswith("ministack"):
        sqs = emulator.client("sqs", request.getfixturevalue("endpoint"))
        if "short" in request.param:
            sqs = QuickClient(sqs, FREQUENT, credentials=emulator.credentials())
        yield Queue(sqs, url=sqs.create_queue(QueueName=name)["QueueUrl"])
    else:
        with mock_aws():
            sqs = boto3.client("sqs", region_name=emulator.REGION)
            yield Queue(sqs, url=sqs.create_queue(QueueName=name)["QueueUrl"])


def bodies(queue: Any) -> list[str]:
    return [each.body for each in queue.receive(10, wait_seconds=0)]


def test_what_was_sent_is_received_once_while_its_lease_lasts(queue: Any) -> None:
    odd = ["日本/語.bin", "it's; rm -rf $(x).txt", '{"key": "new\\nline"}']
    assert queue.send(odd) == [True] * 3
    assert sorted(bodies(queue)) == sorted(odd)
    assert bodies(queue) == []


def test_defect_21_more_than_a_batch_is_sent_received_and_deleted_in_batches(queue: Any) -> None:
    assert all(queue.send([str(i) for i in range(25)]))
    received = []
    while some := queue.receive(25, wait_seconds=0):
        assert len(some) <= 10
        received += some
    assert len({each.message_id for each in received}) == 25
    assert all(queue.delete([each.handle for each in received]))
    assert queue.counts() == Counts(0, 0, 0)


def test_nothing_is_sent_or_deleted_without_entries(queue: Any) -> None:
    assert (queue.send([]), queue.delete([]), queue.extend({})) == ([], [], {})


def test_a_message_that_is_let_go_comes_back_at_once_under_its_id_and_counted(queue: Any) -> None:
    queue.send(["a"])
    [first] = queue.receive(1, wait_seconds=0)
    assert queue.extend({first.handle: 0}) == {first.handle: True}
    [second] = queue.receive(1, wait_seconds=0)
    assert (first.receives, second.receives) == (1, 2)
    assert second.message_id == first.message_id


def test_a_stale_handle_deletes_nothing_and_is_no_error(queue: Any) -> None:
    queue.send(["a"])
    [first] = queue.receive(1, wait_seconds=0)
    queue.extend({first.handle: 0})
    [second] = queue.receive(1, wait_seconds=0)
    assert queue.delete([second.handle]) == [True]
    assert queue.delete([second.handle]) == [True]
    assert queue.counts().total == 0


def test_a_message_is_leased_for_as_long_as_the_receiver_says(queue: Any) -> None:
    queue.send(["a"])
    assert queue.receive(1, wait_seconds=0, lease_seconds=1)
    assert until(lambda: bodies(queue), seconds=60, what="the lease runs out") == ["a"]


def test_delayed_messages_count_and_are_not_yet_received(queue: Any) -> None:
    queue.send(["a"], delay_seconds=60)
    queue.send(["b", "c"])
    [_] = queue.receive(1, wait_seconds=0)
    assert queue.counts() == Counts(visible=1, in_flight=1, delayed=1)
