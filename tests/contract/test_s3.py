"""What `S3`, the control path, promises: on the fake and on ministack."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytest

import emulator
from aws_parallelizer.aws.s3 import S3
from fakes.s3 import FakeS3

ODD = ["a b+c%20é.txt", "dir/it's; rm -rf $(x).txt", "日本/語.bin"]


class Bucket(NamedTuple):
    """A gateway, and one bucket with keys that `fill` puts there."""

    s3: Any
    name: str
    fill: Callable[[Iterable[str]], None]


@pytest.fixture(params=["fake", "ministack"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    name = f"bucket-{uuid.uuid4()}"
    if request.param == "fake":
        fake = FakeS3(name)
        return Bucket(fake, name, lambda keys: [fake.put(name, key) for key in keys] and None)
    client = emulator.client("s3", request.getfixturevalue("endpoint"))
    client.create_bucket(Bucket=name)

    def fill(keys: Iterable[str]) -> None:
        for key in keys:
            client.put_object(Bucket=name, Key=key, Body=b"x")

    return Bucket(S3(client), name, fill)


def test_objects_are_listed_in_the_order_of_their_bytes_from_a_key_on(bucket: Bucket) -> None:
    bucket.fill([*ODD, "dir/b"])
    listed = [each.key for each in bucket.s3.page(bucket.name, prefix="")]
    assert listed == sorted([*ODD, "dir/b"], key=str.encode)
    after = [each.key for each in bucket.s3.page(bucket.name, prefix="dir/", after="dir/b")]
    assert after == ["dir/it's; rm -rf $(x).txt"]


def test_an_object_is_found_under_its_whole_key_only(bucket: Bucket) -> None:
    bucket.fill(["env.zip", "env.zip.old", "other.zip.old"])
    assert bucket.s3.etag(bucket.name, "env.zip")
    assert not bucket.s3.etag(bucket.name, "other.zip")
    assert not bucket.s3.etag(bucket.name, "env")
    assert not bucket.s3.etag("bucket-that-is-not-there", "env.zip")


def test_a_bucket_is_there_or_not(bucket: Bucket) -> None:
    assert bucket.s3.has(bucket.name)
    assert not bucket.s3.has("bucket-that-is-not-there")
