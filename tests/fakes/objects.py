"""S3 objects in memory: `aws.objects.Objects`'s methods and promises."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from aws_parallelizer.aws.object_errors import ObjectMissing, ObjectTaken
from aws_parallelizer.aws.objects import Fetched, Made, Stored, open_owned


class Kept(NamedTuple):
    """One object."""

    body: bytes
    maker: str | None = None


class FakeObjects:
    """`kept` by (bucket, key); `failures` are raised by the next calls, one each."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Kept] = {}
        self.failures: list[Exception] = []
        self.calls: list[str] = []

    async def download(
        self, bucket: str, key: str, *, to: Path, size: int = 0, etag: str = ""
    ) -> Fetched:
        self._call("download")
        body = self._find(bucket, key).body
        to.write_bytes(body)  # noqa: ASYNC240 - small
        return Fetched(len(body), hashlib.md5(body).hexdigest())

    async def upload(
        self,
        path: Path,
        *,
        bucket: str,
        key: str,
        maker: str = "",
        replace: bool | str = False,
        owner: int | None = None,
    ) -> Stored:
        with open_owned(path, owner) as file:
            body = file.read()
        return await self.store(body, bucket=bucket, key=key, maker=maker, replace=replace)

    async def store(
        self, body: bytes, *, bucket: str, key: str, maker: str = "", replace: bool | str = False
    ) -> Stored:
        """What `upload` does with a file's bytes."""
        self._call("upload")
        self._require(bucket, key, replace)
        self.kept[bucket, key] = Kept(body, maker or None)
        return Stored(len(body), f"sha256:{hashlib.sha256(body).hexdigest()}")

    async def made(self, bucket: str, key: str) -> Made:
        self._call("made")
        found = self._find(bucket, key)
        return Made(found.maker, _etag(found.body))

    def _require(self, bucket: str, key: str, replace: bool | str) -> None:
        there = self.kept.get((bucket, key))
        if isinstance(replace, str) and not (there and _etag(there.body) == replace):
            raise ObjectTaken(f"s3://{bucket}/{key} is another one")
        if not replace and there:
            raise ObjectTaken(f"s3://{bucket}/{key} exists")

    def _find(self, bucket: str, key: str) -> Kept:
        if (bucket, key) not in self.kept:
            raise ObjectMissing(f"s3://{bucket}/{key}: no such key")
        return self.kept[bucket, key]

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.failures:
            raise self.failures.pop(0)


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'
