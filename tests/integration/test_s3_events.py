"""What S3 really sends to the uploads queue, by moto: test events, odd keys, doubled events."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

import emulator
from chalicelib import ingest
from chalicelib.ingest import Told
from desks import BUCKET, Desk

PART = b"x" * 5 * 2**20


class Door:
    """A bucket that tells an uploads queue of its objects, and a desk that takes them in."""

    def __init__(self) -> None:
        self.s3 = boto3.client("s3", region_name=emulator.REGION)
        self.sqs = boto3.client("sqs", region_name=emulator.REGION)
        self.url = self.sqs.create_queue(QueueName="uploads")["QueueUrl"]
        names = ["QueueArn"]
        asked = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        self.s3.create_bucket(Bucket=BUCKET)
        told = {"QueueArn": asked["Attributes"]["QueueArn"], "Events": ["s3:ObjectCreated:*"]}
        self.s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [told]}
        )
        self.desk = Desk()
        self.desk.make()

    def received(self) -> list[Told]:
        """All messages of the queue."""
        found: list[Told] = []
        while messages := self._receive():
            found += [Told(m["MessageId"], m["Body"], 1, m["ReceiptHandle"]) for m in messages]
        return found

    def _receive(self) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def take_in(self) -> list[str]:
        """The ids of those that failed."""
        return ingest.ingest(self.desk.context, self.received())

    def keys(self) -> list[str]:
        return sorted(one.key for one in self.desk.sent())


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    for name, value in emulator.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield Door()


def test_s3s_test_event_is_acknowledged_and_logged_once(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    [told] = door.received()
    assert "s3:TestEvent" in told.body
    with caplog.at_level(logging.INFO):
        assert ingest.ingest(door.desk.context, [told]) == []
    assert [told.message_id in line for line in caplog.messages] == [True]
    assert door.keys() == []


def test_odd_keys_come_through_s3s_encoding_as_they_were(door: Door) -> None:
    keys = ["job/a b+c%20é.txt", "job/日本/語.bin", "job/it's; rm -rf $(x)", 'job/q"uote&=?#']
    for key in keys:
        door.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert door.take_in() == []
    assert door.keys() == sorted(keys)


def test_a_multipart_upload_that_makes_two_events_makes_one_message(door: Door) -> None:
    door.received()
    place = {"Bucket": BUCKET, "Key": "job/large"}
    upload = door.s3.create_multipart_upload(**place)["UploadId"]
    parts = []
    for number in (1, 2):
        part = door.s3.upload_part(**place, UploadId=upload, PartNumber=number, Body=PART)
        parts.append({"ETag": part["ETag"], "PartNumber": number})
    door.s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})
    told = door.received()
    assert len(told) == 2
    assert ingest.ingest(door.desk.context, told) == []
    assert door.keys() == ["job/large"]


def test_folder_markers_make_no_task_and_empty_files_do(door: Door) -> None:
    for key in ("job/folder/", "job/empty"):
        door.s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
    assert door.take_in() == []
    assert door.keys() == ["job/empty"]
