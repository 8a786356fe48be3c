"""S3's notifications, decoded."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import uploads
from chalicelib.uploads import Created, Notification


def record(key: str, *, event: str = "ObjectCreated:Put", **fields: Any) -> dict[str, Any]:
    """A record as S3 sends it; `key` is encoded as S3 does it."""
    found = {"key": key, "size": 3, "eTag": "e1", "sequencer": "0A", **fields}
    return {"eventName": event, "s3": {"bucket": {"name": "inputs"}, "object": found}}


def body(*records: object) -> str:
    return json.dumps({"Records": records})


def test_a_test_event_tells_of_nothing_and_is_no_error() -> None:
    told = uploads.decode(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}))
    assert told == Notification([], [])


def test_a_key_is_decoded_once() -> None:
    [created] = uploads.decode(body(record("a+b%2Bc%2520%C3%A9.txt"))).created
    assert created == Created("inputs", "a b+c%20é.txt", "e1", 3, "0A")


def bridged(key: str, *, event: str = "Object Created", **fields: Any) -> str:
    """An event as EventBridge sends it."""
    found = {"key": key, "size": 3, "etag": "e1", "sequencer": "0A", **fields}
    detail = {"version": "0", "bucket": {"name": "inputs"}, "object": found, "reason": "PutObject"}
    return json.dumps({"source": "aws.s3", "detail-type": event, "detail": detail})


def test_a_key_that_comes_through_eventbridge_is_not_decoded() -> None:
    [created] = uploads.decode(bridged("a+b%2Bc%20é.txt")).created
    assert created == Created("inputs", "a+b%2Bc%20é.txt", "e1", 3, "0A")


def test_an_event_of_eventbridge_that_makes_no_object_or_tells_of_none_is_no_upload() -> None:
    assert uploads.decode(bridged("gone", event="Object Deleted")) == Notification([], [])
    told = uploads.decode(json.dumps({"source": "aws.s3", "detail-type": "Object Created"}))
    assert (told.created, len(told.malformed)) == ([], 1)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_key_comes_out_as_its_owner_wrote_it(key: str) -> None:
    [created] = uploads.decode(body(record(quote_plus(key)))).created
    assert created.key == key


def test_a_record_without_size_etag_and_sequencer_is_taken() -> None:
    bare = {"eventName": "ObjectCreated:Copy", "s3": {"bucket": {"name": "b"}, "object": {}}}
    bare["s3"]["object"] = {"key": "k"}  # type: ignore[index]
    assert uploads.decode(body(bare)).created == [Created("b", "k", "", 0, "")]


def test_events_that_make_no_object_are_passed_over() -> None:
    told = uploads.decode(body(record("gone", event="ObjectRemoved:Delete"), record("here")))
    assert [created.key for created in told.created] == ["here"]
    assert not told.malformed


def test_one_bad_record_of_several_leaves_the_others_whole() -> None:
    told = uploads.decode(body(record("one"), {"eventName": "ObjectCreated:Put"}, record("two")))
    assert [created.key for created in told.created] == ["one", "two"]
    assert len(told.malformed) == 1


@pytest.mark.parametrize("poison", ["", "plain", "[]", "3", "{}", '{"Records": 1}'])
def test_a_poison_body_is_malformed_and_raises_nothing(poison: str) -> None:
    told = uploads.decode(poison)
    assert not told.created
    assert len(told.malformed) == 1
