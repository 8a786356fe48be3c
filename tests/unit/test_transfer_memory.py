"""How many bytes transfers hold, however many there are and however large: those that Python
allocated, counted by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import threading
import tracemalloc
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aws_parallelizer.aws import multipart, objects
from aws_parallelizer.aws.objects import Objects
from aws_parallelizer.aws.sections import BLOCK_BYTES

MIB = 1024 * 1024
LARGE = 12 * MIB
FILES = 20
# A block that is read into, and one that is handed on meanwhile.
FLAT_DOWN = objects._DOWN_AT_ONCE * 2 * BLOCK_BYTES + 4 * MIB
# One for each part, and two for the checksums.
FLAT_UP = objects._UP_AT_ONCE * (multipart._AT_ONCE + 2) * BLOCK_BYTES + 4 * MIB


class StreamingS3:
    """boto3's S3 for zeros. As botocore it asks for little at a time, and may try twice."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.checksums: dict[str, str] = {}
        self._lock = threading.Lock()

    def get_object(self, **_: object) -> dict[str, Any]:
        return {"ContentLength": LARGE, "ETag": '"e"', "Body": Zeros(LARGE)}

    def put_object(self, *, Key: str, Body: Any, ContentLength: int, **more: Any) -> Any:  # noqa: N803
        self._take(Key, Body, ContentLength)
        self.checksums[Key] = more["ChecksumSHA256"]
        return {"ETag": '"e"'}

    def create_multipart_upload(self, **_: object) -> dict[str, str]:
        return {"UploadId": "u"}

    def upload_part(self, *, Key: str, Body: Any, ContentLength: int, **_: object) -> Any:  # noqa: N803
        self._take(Key, Body, ContentLength)
        return {"ETag": '"e"'}

    def complete_multipart_upload(self, **_: object) -> None:
        pass

    def head_object(self, *, Key: str, **_: object) -> dict[str, Any]:  # noqa: N803
        return {"ContentLength": self.sizes[Key], "Metadata": {}, "ETag": '"e"'}

    def _take(self, key: str, body: Any, length: int) -> None:
        for _ in range(2):
            body.seek(0)
            size = sum(len(block) for block in iter(lambda: body.read(16384), b""))
            assert size == length
        with self._lock:
            self.sizes[key] = self.sizes.get(key, 0) + size


class Zeros(io.RawIOBase):
    """So many of them."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        size = min(size, self._left)
        self._left -= size
        return bytes(size)


@contextmanager
def held() -> Iterator[Callable[[], int]]:
    """The most bytes that were held at once."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def all_at_once(count: int, make: Callable[[int], Awaitable[Any]]) -> None:
    async def story() -> None:
        await asyncio.gather(*(make(number) for number in range(count)))

    asyncio.run(story())


def zeros(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)  # a hole: it costs no disk
    return path


def test_many_large_downloads_hold_a_block_each(tmp_path: Path) -> None:
    fetching = Objects(StreamingS3(), store=lambda _bucket: None)  # type: ignore[arg-type,return-value]
    with held() as most:
        all_at_once(
            FILES,
            lambda number: fetching.download(
                "in", str(number), to=tmp_path / str(number % 8), size=LARGE
            ),
        )
        assert most() < FLAT_DOWN


@pytest.mark.parametrize("in_parts", [False, True], ids=["in one call", "in parts"])
def test_many_large_uploads_hold_a_block_for_each_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_parts: bool
) -> None:
    if in_parts:
        monkeypatch.setattr(objects, "PUT_BYTES", LARGE - 1)
        monkeypatch.setattr(multipart, "PART_BYTES", 5 * MIB)
    path, s3 = zeros(tmp_path / "file", LARGE), StreamingS3()
    storing = Objects(s3, store=lambda _bucket: None)  # type: ignore[arg-type,return-value]
    with held() as most:
        all_at_once(FILES, lambda number: storing.upload(path, bucket="out", key=str(number)))
        assert most() < FLAT_UP
    assert s3.sizes == dict.fromkeys(map(str, range(FILES)), LARGE)
    if not in_parts:
        sum_of_zeros = b64encode(hashlib.sha256(bytes(LARGE)).digest()).decode()
        assert set(s3.checksums.values()) == {sum_of_zeros}


def test_many_files_that_just_fit_into_memory_share_what_there_is_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, s3 = zeros(tmp_path / "file", objects.WHOLE_BYTES), StreamingS3()

    async def put(_store: object, key: str, body: bytes, **_: object) -> dict[str, str]:
        s3.sizes[key] = len(body)
        await asyncio.sleep(0.01)  # all others may begin meanwhile
        return {"e_tag": ""}

    monkeypatch.setattr(objects.obstore, "put_async", put)
    storing = Objects(s3, store=lambda _bucket: None)  # type: ignore[arg-type,return-value]
    with held() as most:
        all_at_once(3 * FILES, lambda number: storing.upload(path, bucket="out", key=str(number)))
        assert most() < objects._IN_MEMORY_BYTES + FLAT_UP
    assert s3.sizes == dict.fromkeys(map(str, range(3 * FILES)), objects.WHOLE_BYTES)
