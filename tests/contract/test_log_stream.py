"""What `LogStream` promises, on the fake, on moto and on ministack."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

import emulator
from aws_parallelizer.aws.log_stream import Line, LogStream
from fakes.log_stream import FakeLogStream

NOW = float(int(time.time()))
Read = Callable[[], list[Line]]


def own(client: Any) -> tuple[LogStream, Read]:
    """A stream that is not there yet, and what reads it."""
    group = f"/parallelizer/{uuid.uuid4()}/workers"
    client.create_log_group(logGroupName=group)

    def read() -> list[Line]:
        found = client.filter_log_events(logGroupName=group, logStreamNames=["i-1"])["events"]
        return [Line(event["timestamp"] / 1000, event["message"]) for event in found]

    return LogStream(client, group=group, stream="i-1"), read


@pytest.fixture(params=["moto", "ministack"])
def logs(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "ministack":
        yield emulator.client("logs", request.getfixturevalue("endpoint"))
    else:
        with mock_aws():
            yield boto3.client("logs", region_name=emulator.REGION)


@pytest.fixture(params=["fake", "moto", "ministack"])
def stream(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Read]]:
    if request.param == "fake":
        fake = FakeLogStream()
        yield fake, lambda: fake.lines
    elif request.param == "ministack":
        yield own(emulator.client("logs", request.getfixturevalue("endpoint")))
    else:
        with mock_aws():
            yield own(boto3.client("logs", region_name=emulator.REGION))


def test_lines_are_stored_as_they_are_in_a_stream_that_is_made_by_the_first(
    stream: tuple[Any, Read],
) -> None:
    written, read = stream
    odd = Line(NOW + 0.25, json.dumps({"_aws": {}, "message": "日本 \n é"}))
    written.put([Line(NOW, "first")])
    written.put([odd, Line(NOW + 1, "last")])
    assert read() == [Line(NOW, "first"), odd, Line(NOW + 1, "last")]


def test_lines_of_a_clock_that_was_set_back_are_taken(stream: tuple[Any, Read]) -> None:
    written, read = stream
    written.put([Line(NOW, "noon"), Line(NOW - 60, "a minute to noon"), Line(NOW, "noon again")])
    assert [line.text for line in read()] == ["a minute to noon", "noon", "noon again"]


def test_an_instance_that_is_started_again_goes_on_with_its_stream(logs: Any) -> None:
    before, read = own(logs)
    before.put([Line(NOW, "before")])
    again = LogStream(logs, group=before._place["logGroupName"], stream="i-1")
    again.put([Line(NOW + 1, "again")])
    assert [line.text for line in read()] == ["before", "again"]


def test_a_stream_that_somebody_deletes_is_made_anew(logs: Any) -> None:
    written, read = own(logs)
    written.put([Line(NOW, "before")])
    logs.delete_log_stream(**written._place)
    written.put([Line(NOW + 1, "after")])
    assert [line.text for line in read()] == ["after"]


def test_a_stream_whose_making_was_never_answered_is_there(
    logs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = logs.create_log_stream

    def makes_it_again(**place: str) -> None:
        make(**place)
        make(**place)  # as the SDK does when the answer is lost

    monkeypatch.setattr(logs, "create_log_stream", makes_it_again)
    written, read = own(logs)
    written.put([Line(NOW, "first")])
    assert [line.text for line in read()] == ["first"]


def test_a_group_that_is_not_there_is_an_error_and_is_not_made(logs: Any) -> None:
    name = f"/parallelizer/{uuid.uuid4()}/workers"
    with pytest.raises(ClientError, match="ResourceNotFound"):
        LogStream(logs, group=name, stream="i-1").put([Line(NOW, "lost")])
    assert not logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
