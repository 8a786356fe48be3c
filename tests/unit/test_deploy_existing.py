"""The notifications of a bucket that others write, too."""

from __future__ import annotations

from typing import Any

import pytest

from deploy import existing
from deploy.notifications import merged, own_entry
from deploy.saying import DeployFailed

OURS = own_entry("s", queue_arn="arn:q")
THEIRS = {
    "QueueConfigurations": [
        {"Id": "theirs", "QueueArn": "arn:t", "Events": ["s3:ObjectRemoved:*"]}
    ],
    "EventBridgeConfiguration": {},
}


class FakeNotifications:
    """S3 as the gateway shows it. `answers` = what the next reads say, then what was written."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.written: list[Any] = []

    def read(self, bucket: str) -> Any:
        return self.answers.pop(0) if self.answers else self.written[-1]

    def write(self, bucket: str, configuration: Any, *, validate: bool = True) -> None:
        self.written.append(configuration)


def attach(monkeypatch: pytest.MonkeyPatch, s3: FakeNotifications) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(existing, "_gateway", lambda: s3)
    existing._attach("b", OURS, said.append, lambda _: None)
    return said


def test_the_entry_is_added_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = FakeNotifications(THEIRS)
    assert len(attach(monkeypatch, s3)) == 1
    assert s3.written == [merged(THEIRS, OURS)]


def test_where_it_is_already_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = FakeNotifications(dict(merged(THEIRS, OURS)))
    assert attach(monkeypatch, s3) == []
    assert s3.written == []


def test_s3_may_show_the_old_configuration_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = FakeNotifications(THEIRS, THEIRS, THEIRS)
    assert len(attach(monkeypatch, s3)) == 1
    assert len(s3.written) == 1


def test_another_writer_between_reading_and_writing_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s3 = FakeNotifications(*[THEIRS] * 20)
    with pytest.raises(DeployFailed, match=r"somebody else changes them .*: s-uploads missing"):
        attach(monkeypatch, s3)


def test_an_overlap_is_refused_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic = {"Id": "t", "TopicArn": "arn:topic", "Events": ["s3:ObjectCreated:Copy"]}
    s3 = FakeNotifications({"TopicConfigurations": [topic]})
    with pytest.raises(DeployFailed, match=r"entry t \(arn:topic\) is told of s3:ObjectCreated:C"):
        attach(monkeypatch, s3)
    assert s3.written == []
