"""Calls that break where a test says: before, after, without an answer; by number or by name."""

from __future__ import annotations

from typing import Any, cast

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from accounts import account, fleet_arguments
from aws_parallelizer.aws.dynamodb import Document, Key
from fakes.faults import Breakable, BreakableQueues, Crash, Fault, Faults
from fakes.queue import FakeQueue, off_by, stale, zero
from fakes.queues import FakeQueues
from fakes.table import FakeTable

ROW = Document(Key("p", "s"), 0, "text")


@pytest.mark.parametrize(
    ("fault", "error", "made"),
    [
        (Fault.CRASH_BEFORE, Crash, False),
        (Fault.CRASH_AFTER, Crash, True),
        (Fault.LOST_ANSWER, BotoCoreError, True),
        (Fault.UNREACHED, BotoCoreError, False),
        (Fault.THROTTLED, ClientError, False),
        (Fault.INTERNAL, ClientError, False),
    ],
)
def test_a_call_breaks_as_planned(fault: Fault, error: type[BaseException], made: bool) -> None:
    faults, table = Faults(), FakeTable()
    faults.next(1, fault)

    with pytest.raises(error):
        Breakable(table, faults).write([ROW])

    assert bool(table.documents) is made


def test_calls_are_numbered_over_all_clients() -> None:
    ec2 = account()
    queues, table = FakeQueues(), Breakable(FakeTable(), ec2.faults)
    ec2.faults.next(3, Fault.LOST_ANSWER)

    ec2.describe_instances()
    table.get(ROW.key)
    with pytest.raises(BotoCoreError):
        BreakableQueues(queues, ec2.faults).at("q").send(["body"])

    assert len(queues.at("q").visible) == 1
    assert ec2.faults.log[-3:] == ["describe_instances", "get", "send"]


def test_a_crashed_function_makes_no_more_calls_and_the_next_one_does() -> None:
    faults = Faults()
    table = Breakable(FakeTable(), faults)
    faults.next(1, Fault.CRASH_BEFORE)

    def function() -> None:
        try:
            table.write([ROW])
        finally:
            table.get(ROW.key)

    with pytest.raises(Crash), faults.process():
        function()
    assert faults.log == ["write"]
    with faults.process():
        function()
    assert faults.log == ["write", "write", "get"]


def test_something_may_happen_just_before_a_call() -> None:
    table = FakeTable()
    faults = Faults()
    faults.next(2, lambda: cast("Any", table.write([ROW])) and None)
    breakable = Breakable(table, faults)

    assert breakable.get(ROW.key) is None
    assert breakable.get(ROW.key) is not None


def test_an_operation_breaks_by_its_name() -> None:
    ec2 = account()
    ec2.refusals["create_fleet"] = (400, "MaxFleetCountExceeded")
    with pytest.raises(ClientError, match="MaxFleetCountExceeded"):
        ec2.create_fleet(**fleet_arguments())
    ec2.faults.cease()
    ec2.lost_answers = ["create_fleet"]

    with pytest.raises(BotoCoreError):
        ec2.create_fleet(**fleet_arguments(token="t"))
    ec2.create_fleet(**fleet_arguments(token="t"))

    assert len(ec2.machines) == 1


def test_approximate_counts_may_be_wrong_for_some_readings() -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html"""
    queue = FakeQueue()
    queue.counts()
    queue.send(["a", "b", "c"])
    queue.receive(1, wait_seconds=0)
    queue.noise = [zero, stale, off_by(2), off_by(-5)]

    seen = [tuple(queue.counts()) for _ in range(5)]

    assert seen == [(0, 0, 0), (2, 1, 0), (4, 1, 0), (0, 1, 0), (2, 1, 0)]
