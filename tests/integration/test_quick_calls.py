"""Calls by the short way: what is no plain success is left to boto3, and nothing is lost by it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import NamedTuple

import pytest

import emulator
from aws_parallelizer.aws import clients
from aws_parallelizer.aws.quick import QuickClient
from aws_parallelizer.aws.sqs import FREQUENT, Queue, is_gone
from proxy import Answer, Call, Gone, Proxy


class Way(NamedTuple):
    """A queue of one message, behind a proxy."""

    queue: Queue
    proxy: Proxy


@pytest.fixture
def way(endpoint: str) -> Iterator[Way]:
    proxy = Proxy(endpoint)
    sqs = emulator.client("sqs", proxy.url)
    quick = QuickClient(sqs, FREQUENT, credentials=emulator.credentials())
    queue = Queue(quick, url=sqs.create_queue(QueueName=f"quick-{uuid.uuid4()}")["QueueUrl"])
    queue.send(["a"])
    yield Way(queue, proxy)
    proxy.close()


def gone(_call: Call) -> Answer | None:
    raise Gone


BROKEN = {
    "an error": lambda _call: Answer(503, {}, b"{}"),
    "no answer": gone,
    "no JSON": lambda _call: Answer(200, {}, b"<html>"),
    "another checksum": lambda _call: Answer(200, {"x-amz-crc32": "1"}, b'{"Messages":[]}'),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_plain_success_is_asked_again_by_boto3(way: Way, broken: object) -> None:
    def once(call: Call) -> Answer | None:
        return broken(call) if way.proxy.seen["ReceiveMessage"] == 1 else None  # type: ignore[operator]

    way.proxy.before = once
    assert [each.body for each in way.queue.receive(10, wait_seconds=0)] == ["a"]
    assert way.proxy.seen["ReceiveMessage"] == 2


def test_a_plain_success_takes_one_call(way: Way) -> None:
    [received] = way.queue.receive(10, wait_seconds=0)
    assert received.receives == 1
    assert way.queue.extend({received.handle: 60}) == {received.handle: True}
    assert way.queue.delete([received.handle]) == [True]
    calls = ("ReceiveMessage", "ChangeMessageVisibilityBatch", "DeleteMessageBatch")
    assert [way.proxy.seen[name] for name in calls] == [1, 1, 1]


def test_a_deletion_whose_answer_got_lost_counts_as_made(way: Way) -> None:
    [received] = way.queue.receive(10, wait_seconds=0)

    def lost_once(call: Call, answer: Answer) -> Answer:
        if call.name == "DeleteMessageBatch" and way.proxy.seen[call.name] == 1:
            raise Gone
        return answer

    way.proxy.after = lost_once
    assert way.queue.delete([received.handle]) == [True]
    assert way.queue.counts().total == 0


def test_an_error_is_boto3s_with_its_code(endpoint: str) -> None:
    sqs = emulator.client("sqs", endpoint)
    quick = QuickClient(sqs, FREQUENT, credentials=emulator.credentials())
    url = sqs.create_queue(QueueName=f"quick-{uuid.uuid4()}")["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(sqs.exceptions.ClientError) as raised:
        Queue(quick, url=url).receive(10, wait_seconds=0)
    assert is_gone(raised.value)


def test_calls_go_through_the_proxy_of_the_surroundings(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", way.proxy.url)
    monkeypatch.setenv("no_proxy", "")
    sqs = emulator.client("sqs", "http://sqs.example.org")
    quick = QuickClient(sqs, FREQUENT, credentials=emulator.credentials())
    way.proxy.before = lambda _call: Answer(200, {}, b'{"Messages":[]}')
    assert Queue(quick, url=way.queue.url).receive(10, wait_seconds=0) == []
    assert way.proxy.seen["ReceiveMessage"] == 1


def test_without_credentials_the_client_is_boto3s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoCredentials:
        def get_credentials(self) -> None:
            """There are none."""

    monkeypatch.setattr(clients, "session", NoCredentials)
    sqs = object()
    assert clients.quick(sqs, *FREQUENT) is sqs
