"""What S3 says in the uploads queue: pure decoding of its notifications, sent by itself or through
EventBridge.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import unquote_plus

import msgspec


class Created(NamedTuple):
    """An object that came to be. `key` is as its owner wrote it."""

    bucket: str
    key: str
    etag: str
    size: int
    sequencer: str


class Notification(NamedTuple):
    """What one message told of, and what in it could not be read."""

    created: list[Created]
    malformed: list[str]


class _Object(msgspec.Struct, rename={"etag": "eTag"}):
    key: str
    etag: str = ""
    size: int = 0
    sequencer: str = ""


class _Bucket(msgspec.Struct):
    name: str


class _S3(msgspec.Struct):
    bucket: _Bucket
    object: _Object


class _Record(msgspec.Struct, rename="camel"):
    event_name: str
    s3: _S3


class _BridgedObject(msgspec.Struct):
    key: str
    etag: str = ""
    size: int = 0
    sequencer: str = ""


class _Bridged(msgspec.Struct):
    bucket: _Bucket
    object: _BridgedObject


def decode(body: str) -> Notification:
    """Read a message's body, whatever it holds."""
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        return Notification([], [f"not JSON: {error}"])
    if not isinstance(document, dict):
        return Notification([], ["not a JSON object"])
    if document.get("Event") == "s3:TestEvent":
        return Notification([], [])  # S3 asks whether it may send
    if document.get("source") == "aws.s3":
        return _bridged(document)
    if not isinstance(document.get("Records"), list):
        return Notification([], ["without Records"])
    return _records(document["Records"])


def _records(records: list[Any]) -> Notification:
    found = Notification([], [])
    for raw in records:
        try:
            record = msgspec.convert(raw, _Record)
        except msgspec.ValidationError as error:
            found.malformed.append(f"a record: {error}")
            continue
        if record.event_name.startswith("ObjectCreated:"):
            found.created.append(_created(record.s3))
    return found


def _bridged(event: dict[str, Any]) -> Notification:
    if event.get("detail-type") != "Object Created":
        return Notification([], [])
    try:
        detail = msgspec.convert(event.get("detail"), _Bridged)
    except msgspec.ValidationError as error:
        return Notification([], [f"an event: {error}"])
    found = detail.object
    # EventBridge writes keys as they are: a + is a +.
    return Notification(
        [Created(detail.bucket.name, found.key, found.etag, found.size, found.sequencer)], []
    )


def _created(s3: _S3) -> Created:
    # S3 writes keys as HTML forms do, a space as +. Decoded once: a second time would turn the
    # %20 that is part of a key into a space.
    return Created(
        bucket=s3.bucket.name,
        key=unquote_plus(s3.object.key),
        etag=s3.object.etag,
        size=s3.object.size,
        sequencer=s3.object.sequencer,
    )
