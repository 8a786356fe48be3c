"""What `Objects` promises, on the fake and on ministack's S3."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from pathlib import Path
from typing import Any

import pytest
from obstore.store import S3Store

import emulator
from aws_parallelizer.aws import objects
from aws_parallelizer.aws.object_errors import ObjectMissing, ObjectRefused, ObjectTaken
from aws_parallelizer.aws.objects import Objects
from fakes.objects import FakeObjects, Kept

LARGE = 20 * 1024 * 1024
KEYS = [
    "plain",
    "dir/a b+c%20é.txt",
    "it's; rm -rf $(x).txt",
    "日本/語.bin",
    "a#b?c*d=&",
    "%",
    "a%2Fb",
    'q"uo\\te',
    "e\u0301",
    "new\nline",
    "tab\there",
    "delete\x7f",
    "/leading",
    "trailing/",
    "a//b",
    "a/./b",
    "a/../b",
    "..",
    "x\x85y",
    "😀",
]


class Bucket:
    """A bucket behind `Objects`, and a way to its objects that is not `Objects`."""

    def __init__(self, under_test: Any, name: str, s3: Any | None) -> None:
        self.objects: Objects = under_test
        self.name = name
        self._s3 = s3

    def put(self, key: str, body: bytes) -> None:
        if self._s3:
            self._s3.put_object(Bucket=self.name, Key=key, Body=body)
        else:
            self.objects.kept[self.name, key] = Kept(body)  # type: ignore[attr-defined]

    def get(self, key: str) -> bytes:
        if self._s3:
            body: bytes = self._s3.get_object(Bucket=self.name, Key=key)["Body"].read()
            return body
        return self.objects.kept[self.name, key].body  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(params=["fake", "ministack"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    name = f"bucket-{uuid.uuid4()}"
    if request.param == "fake":
        return Bucket(FakeObjects(), name, None)
    endpoint = request.getfixturevalue("endpoint")
    s3 = emulator.client("s3", endpoint)
    s3.create_bucket(Bucket=name)
    return Bucket(Objects(s3, store=store_at(endpoint)), name, s3)


def store_at(endpoint: str) -> Any:
    def store(name: str) -> S3Store:
        return S3Store(
            name,
            endpoint=endpoint,
            region=emulator.REGION,
            access_key_id="test",
            secret_access_key="test",
            checksum_algorithm="SHA256",
            client_options={"allow_http": True},
        )

    return store


@pytest.mark.parametrize("key", KEYS)
def test_any_key_goes_both_ways(bucket: Bucket, tmp_path: Path, key: str) -> None:
    bucket.put(key, b"down")
    fetched = asyncio.run(bucket.objects.download(bucket.name, key, to=tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == b"down"
    assert fetched == (4, hashlib.md5(b"down").hexdigest())

    (tmp_path / "up").write_bytes(b"upward")
    stored = asyncio.run(
        bucket.objects.upload(tmp_path / "up", bucket=bucket.name, key=f"up/{key}", maker="me")
    )
    assert bucket.get(f"up/{key}") == b"upward"
    assert stored == (6, f"sha256:{hashlib.sha256(b'upward').hexdigest()}")


@pytest.mark.parametrize("key", ["plain", "new\nline"])
@pytest.mark.parametrize("size", [3, 5_000_000])
def test_of_an_object_that_is_thought_to_be_an_earlier_one_the_newer_one_comes(
    bucket: Bucket, tmp_path: Path, key: str, size: int
) -> None:
    bucket.put(key, b"x" * size)
    etag = hashlib.md5(b"x" * size).hexdigest()
    for thought in (etag, "0" * 32):
        fetched = asyncio.run(
            bucket.objects.download(bucket.name, key, to=tmp_path / "down", size=size, etag=thought)
        )
        assert fetched == (size, etag)
        assert (tmp_path / "down").read_bytes() == b"x" * size
    with pytest.raises(ObjectMissing):
        asyncio.run(bucket.objects.download(bucket.name, "gone", to=tmp_path / "gone", etag=etag))


@pytest.mark.parametrize("key", ["plain", "new\nline"])
def test_an_object_that_is_there_is_not_overwritten_unless_asked(
    bucket: Bucket, tmp_path: Path, key: str
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"first")
    second.write_bytes(b"second")

    async def story() -> None:
        await bucket.objects.upload(first, bucket=bucket.name, key=key, maker="in/%0A")
        with pytest.raises(ObjectTaken):
            await bucket.objects.upload(second, bucket=bucket.name, key=key, maker="other")
        assert (await bucket.objects.made(bucket.name, key)).maker == "in/%0A"
        assert bucket.get(key) == b"first"
        await bucket.objects.upload(
            second, bucket=bucket.name, key=key, maker="other", replace=True
        )
        assert (await bucket.objects.made(bucket.name, key)).maker == "other"

    asyncio.run(story())
    assert bucket.get(key) == b"second"


@pytest.mark.parametrize("key", ["plain", "new\nline"])
@pytest.mark.parametrize("in_parts", [False, True], ids=["whole", "in parts"])
def test_only_the_object_that_was_looked_at_is_replaced(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, in_parts: bool
) -> None:
    if in_parts:
        monkeypatch.setattr(objects, "WHOLE_BYTES", 1)
        monkeypatch.setattr(objects, "PUT_BYTES", 2)
    path = tmp_path / "file"

    async def put(body: bytes, replace: bool | str) -> None:
        path.write_bytes(body)
        await bucket.objects.upload(path, bucket=bucket.name, key=key, replace=replace)

    async def story() -> None:
        await put(b"first", False)
        seen = (await bucket.objects.made(bucket.name, key)).etag
        await put(b"second", seen)
        with pytest.raises(ObjectTaken):
            await put(b"third", seen)
        assert bucket.get(key) == b"second"
        with pytest.raises(ObjectTaken):
            await bucket.objects.upload(path, bucket=bucket.name, key=f"{key}2", replace=seen)

    asyncio.run(story())


def test_an_object_that_no_task_made_bears_no_maker(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")

    async def story() -> str | None:
        await bucket.objects.upload(tmp_path / "file", bucket=bucket.name, key="plain")
        return (await bucket.objects.made(bucket.name, "plain")).maker

    assert asyncio.run(story()) is None


@pytest.mark.parametrize("key", ["nothing", "no\nthing"])
@pytest.mark.parametrize("size", [0, LARGE], ids=["thought small", "thought large"])
def test_a_missing_object_is_told_from_a_failure(
    bucket: Bucket, tmp_path: Path, key: str, size: int
) -> None:
    with pytest.raises(ObjectMissing):
        asyncio.run(bucket.objects.download(bucket.name, key, to=tmp_path / "x", size=size))
    with pytest.raises(ObjectMissing):
        asyncio.run(bucket.objects.made(bucket.name, key))


@pytest.mark.parametrize("key", ["empty", "em\npty"])
def test_an_empty_file_stays_an_empty_file(bucket: Bucket, tmp_path: Path, key: str) -> None:
    (tmp_path / "empty").touch()

    async def story() -> None:
        stored = await bucket.objects.upload(
            tmp_path / "empty", bucket=bucket.name, key=key, maker="me"
        )
        assert stored.size == 0
        await bucket.objects.download(bucket.name, key, to=tmp_path / "back")

    asyncio.run(story())
    assert (tmp_path / "back").read_bytes() == b""


@pytest.mark.parametrize("key", ["large", "lar\nge"])
@pytest.mark.parametrize("in_parts", [False, True], ids=["in one call", "in parts"])
@pytest.mark.parametrize("size", [0, LARGE], ids=["thought small", "thought large"])
def test_a_large_file_goes_both_ways_and_is_not_overwritten(
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    in_parts: bool,
    size: int,
) -> None:
    if in_parts:
        monkeypatch.setattr(objects, "PUT_BYTES", 9 * 1024 * 1024)
    body = bytes(range(256)) * (LARGE // 256)
    path = tmp_path / "large"
    path.write_bytes(body)

    async def story() -> None:
        stored = await bucket.objects.upload(path, bucket=bucket.name, key=key, maker="me")
        assert stored == (len(body), f"sha256:{hashlib.sha256(body).hexdigest()}")
        with pytest.raises(ObjectTaken):
            await bucket.objects.upload(path, bucket=bucket.name, key=key, maker="other")
        assert (await bucket.objects.made(bucket.name, key)).maker == "me"
        fetched = await bucket.objects.download(bucket.name, key, to=tmp_path / "back", size=size)
        assert fetched.size == len(body)
        assert fetched.etag == (await bucket.objects.made(bucket.name, key)).etag.strip('"')

    asyncio.run(story())
    assert (tmp_path / "back").read_bytes() == body
    assert bucket.get(key) == body


def test_a_missing_bucket_is_a_refusal_and_not_a_missing_object(
    endpoint: str, tmp_path: Path
) -> None:
    s3 = emulator.client("s3", endpoint)
    there_is_none = Objects(s3, store=store_at(endpoint))
    for key in ("plain", "new\nline"):
        with pytest.raises(ObjectRefused):
            asyncio.run(there_is_none.download("no-such-bucket", key, to=tmp_path / "x"))


def test_a_full_disk_is_no_failure_of_the_service(endpoint: str) -> None:
    s3 = emulator.client("s3", endpoint)
    name = f"bucket-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="key", Body=b"body")
    fetching = Objects(s3, store=store_at(endpoint))
    with pytest.raises(OSError, match="No space left"):
        asyncio.run(fetching.download(name, "key", to=Path("/dev/full")))


def test_an_upload_that_arrives_as_something_else_is_a_failure(
    endpoint: str, tmp_path: Path
) -> None:
    s3 = emulator.client("s3", endpoint)
    name = f"bucket-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    (tmp_path / "file").write_bytes(b"what was meant")

    class Liar(Objects):
        async def _put(self, contents: Any, *args: Any, **more: Any) -> Any:
            return await super()._put(contents._replace(body=b"something else"), *args, **more)

    with pytest.raises(objects.ObjectFailure, match="not what was uploaded"):
        asyncio.run(
            Liar(s3, store=store_at(endpoint)).upload(
                tmp_path / "file", bucket=name, key="key", maker="me"
            )
        )
