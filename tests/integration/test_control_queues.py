"""Queues are made, found and removed as SQS does it, on ministack."""

from __future__ import annotations

import json

import pytest

import emulator
from aws_parallelizer.aws.sqs import Queues
from aws_parallelizer.core.errors import NotFound


@pytest.fixture
def queues(endpoint: str) -> Queues:
    return Queues(emulator.client("sqs", endpoint))


def test_a_queue_is_made_once_and_takes_new_attributes(queues: Queues, endpoint: str) -> None:
    dead = queues.make("q-dead", {"MessageRetentionPeriod": "1209600"})
    redrive = {"deadLetterTargetArn": queues.arn(dead), "maxReceiveCount": 23}
    for visibility in ("60", "60", "90"):
        attributes = {"VisibilityTimeout": visibility, "RedrivePolicy": json.dumps(redrive)}
        url = queues.make("q", attributes)
    told = emulator.client("sqs", endpoint).get_queue_attributes(
        QueueUrl=url, AttributeNames=["VisibilityTimeout", "RedrivePolicy"]
    )["Attributes"]
    assert told["VisibilityTimeout"] == "90"
    assert json.loads(told["RedrivePolicy"]) == redrive


def test_a_queue_that_is_gone_is_not_found_and_removed_twice_without_harm(queues: Queues) -> None:
    url = queues.make("short-lived", {})
    for _ in range(2):
        queues.remove(url)
    with pytest.raises(NotFound, match="short-lived"):
        queues.arn(url)


def test_a_delayed_message_is_counted_as_delayed(queues: Queues) -> None:
    queue = queues.at(queues.make("later", {}))
    assert queue.send(["a"], delay_seconds=60) == [True]
    assert queue.counts() == (0, 0, 1)
