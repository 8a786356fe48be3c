"""S3 objects as files, for the worker's data path.

obstore names almost every key and costs a tenth of boto3's CPU; keys that it cannot name (control
characters; an empty, `.` or `..` part, so also a slash at either end, which it would drop in
silence) take boto3's way, in a thread.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import re
import stat
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import obstore
from botocore.exceptions import BotoCoreError
from obstore.exceptions import BaseError
from obstore.store import S3Store

from aws_parallelizer.aws import multipart
from aws_parallelizer.aws.object_errors import (
    ObjectFailure,
    ObjectMissing,
    ObjectTaken,
    by_boto3,
    of_obstore,
)
from aws_parallelizer.core.errors import BadOutput

if TYPE_CHECKING:  # no name at run time
    from obstore import PutMode

MAKER = "parallelizer-input"  # the metadata that names the input which made an output
WHOLE_BYTES = 8 * 1024 * 1024  # up to here an object passes through memory in one piece
PUT_BYTES = 64 * 1024 * 1024  # above, a multipart upload
_LARGE_AT_ONCE = 4  # uploads above WHOLE_BYTES, for memory's sake
_UNNAMEABLE = re.compile(r"[\x00-\x1f\x7f]")


class Fetched(NamedTuple):
    """What was downloaded."""

    size: int
    etag: str


class Stored(NamedTuple):
    """What was uploaded; `checksum` is `sha256:<hex>`."""

    size: int
    checksum: str


class Made(NamedTuple):
    """An object that is there: the `maker` that it was stored with, if any, and its ETag."""

    maker: str | None
    etag: str


class Contents(NamedTuple):
    """A file about to be uploaded: its digests, and its bytes unless they are too many. `md5` is
    empty for a large one, where to ask S3 what it holds costs less.
    """

    size: int
    sha256: bytes
    md5: str
    body: bytes | None


class Objects:
    """The objects of any bucket. Methods raise the errors above, and OSError for the local file's
    sake.
    """

    def __init__(self, client: Any, *, store: Callable[[str], S3Store]) -> None:
        self._client = client
        self._store = functools.cache(store)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def download(self, bucket: str, key: str, *, to: Path) -> Fetched:
        """Write the object's bytes to a file; raises ObjectMissing."""
        if not _is_nameable(key):
            return await asyncio.to_thread(self._download_by_boto3, bucket, key, to)
        try:
            answer = await obstore.get_async(self._store(bucket), key)
            size, etag = answer.meta["size"], (answer.meta["e_tag"] or "").strip('"')
            if size <= WHOLE_BYTES:
                written = _write(to, await answer.bytes_async())
            else:
                written = await _write_stream(answer, to)
        except (BaseError, FileNotFoundError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the local file's, not obstore's
            raise of_obstore(error, f"GET s3://{bucket}/{key}") from error
        if written != size:
            raise ObjectFailure(f"GET s3://{bucket}/{key}: {written} of {size} bytes came")
        return Fetched(size, etag)

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
        """Store a file, checked by S3 on its way in; raises ObjectTaken where something is, unless
        `replace`: True, or the ETag of the only object that may be replaced. `maker` is ASCII.
        Raises BadOutput for a file that is not the user id `owner`'s, None = anybody's.
        """
        try:
            with open_owned(path, owner) as file:
                return await self._upload(file, bucket, key, maker=maker, replace=replace)
        except ObjectMissing as error:
            # The one that was to be replaced, or the parts of an upload that was completed already
            # and whose answer got lost: in both cases the caller looks at what is there now.
            raise ObjectTaken(str(error)) from error

    async def _upload(
        self, file: BinaryIO, bucket: str, key: str, *, maker: str, replace: bool | str
    ) -> Stored:
        if _size(file) <= WHOLE_BYTES:
            return await self._put(read(file), bucket, key, maker=maker, replace=replace)
        async with self._large:
            if _size(file) <= PUT_BYTES:
                contents = await asyncio.to_thread(read, file)
                return await self._put(contents, bucket, key, maker=maker, replace=replace)
            return await self._put_parts(file, bucket, key, maker=maker, replace=replace)

    async def made(self, bucket: str, key: str) -> Made:
        """Who made the object; raises ObjectMissing."""
        head = await self._head(bucket, key)
        return Made(head["Metadata"].get(MAKER), head["ETag"])

    async def _put(
        self, contents: Contents, bucket: str, key: str, *, maker: str, replace: bool | str
    ) -> Stored:
        if not _is_nameable(key):
            etag = await asyncio.to_thread(
                self._put_by_boto3, contents, bucket, key, maker, replace
            )
        else:
            try:
                answer = await obstore.put_async(
                    self._store(bucket),
                    key,
                    contents.body or b"",
                    attributes={**_metadata(maker)},
                    mode=_mode(replace),
                    use_multipart=False,
                )
            except (BaseError, FileNotFoundError) as error:
                raise of_obstore(error, f"PUT s3://{bucket}/{key}") from error
            etag = answer["e_tag"] or ""
        # With SSE-S3 or none the ETag is the MD5 of what S3 holds; with SSE-KMS only a HEAD can
        # tell.
        if etag.strip('"') != contents.md5:
            await self._verify(contents, bucket, key)
        return Stored(contents.size, f"sha256:{contents.sha256.hex()}")

    async def _put_parts(
        self, file: BinaryIO, bucket: str, key: str, *, maker: str, replace: bool | str
    ) -> Stored:
        # obstore's multipart uploads know no condition: without one, the output of a worker that
        # lost its task could take the place of a later one's.
        sent = await asyncio.to_thread(self._put_parts_by_boto3, file, bucket, key, maker, replace)
        await self._verify(Contents(sent.size, sent.sha256, "", None), bucket, key)
        return Stored(sent.size, f"sha256:{sent.sha256.hex()}")

    async def _verify(self, contents: Contents, bucket: str, key: str) -> None:
        head = await self._head(bucket, key)
        checksum = head.get("ChecksumSHA256", "")
        whole = checksum and "-" not in checksum  # of parts, S3 keeps a checksum of checksums
        if head["ContentLength"] != contents.size or (
            whole and checksum != b64encode(contents.sha256).decode()
        ):
            raise ObjectFailure(
                f"s3://{bucket}/{key} is not what was uploaded: {head['ContentLength']} of "
                f"{contents.size} bytes, checksum {checksum or 'unknown'}"
            )

    async def _head(self, bucket: str, key: str) -> dict[str, Any]:
        call = functools.partial(self._client.head_object, ChecksumMode="ENABLED")
        answer: dict[str, Any] = await asyncio.to_thread(by_boto3, call, Bucket=bucket, Key=key)
        return answer

    def _download_by_boto3(self, bucket: str, key: str, to: Path) -> Fetched:
        answer = by_boto3(self._client.get_object, Bucket=bucket, Key=key)
        written = 0
        try:
            with to.open("wb") as file:
                for chunk in answer["Body"].iter_chunks(1024 * 1024):
                    written += file.write(chunk)
        except BotoCoreError as error:
            raise ObjectFailure(f"GET s3://{bucket}/{key}: {error}") from error
        if written != answer["ContentLength"]:
            raise ObjectFailure(f"GET s3://{bucket}/{key}: {written} bytes came")
        return Fetched(written, answer["ETag"].strip('"'))

    def _put_by_boto3(
        self, contents: Contents, bucket: str, key: str, maker: str, replace: bool | str
    ) -> str:
        answer = by_boto3(
            self._client.put_object,
            Bucket=bucket,
            Key=key,
            Body=contents.body or b"",
            Metadata=_metadata(maker),
            ChecksumSHA256=b64encode(contents.sha256).decode(),
            **_conditions(replace),
        )
        return str(answer["ETag"])

    def _put_parts_by_boto3(
        self, file: BinaryIO, bucket: str, key: str, maker: str, replace: bool | str
    ) -> multipart.Sent:
        return multipart.Sent(
            *by_boto3(
                multipart.put,
                self._client,
                file,
                bucket=bucket,
                key=key,
                size=_size(file),
                metadata=_metadata(maker),
                conditions=_conditions(replace),
            )
        )


def open_owned(path: Path, owner: int | None) -> BinaryIO:
    """A regular file of the user id `owner` (None = anybody's), open for reading; raises BadOutput.

    Looked at once it is open: a program that outlived its group may still bend the path to a file
    that only the worker can read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or owner not in (None, found.st_uid):
        file.close()
        raise BadOutput(f"the output {path.name!a:.200} is no regular file of the program's")
    return file


def read(file: BinaryIO) -> Contents:
    """What is in a file, with its digests."""
    body = file.read()
    small = len(body) <= WHOLE_BYTES
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest() if small else ""
    return Contents(len(body), hashlib.sha256(body).digest(), md5, body)


def _metadata(maker: str) -> dict[str, str]:
    return {MAKER: maker} if maker else {}


def _mode(replace: bool | str) -> PutMode:
    if isinstance(replace, str):
        return {"e_tag": replace}
    return "overwrite" if replace else "create"


def _conditions(replace: bool | str) -> dict[str, str]:
    if isinstance(replace, str):
        return {"IfMatch": replace}
    return {} if replace else {"IfNoneMatch": "*"}


def _is_nameable(key: str) -> bool:
    if _UNNAMEABLE.search(key):
        return False
    return not any(part in ("", ".", "..") for part in key.split("/"))


# To write or look at a small file takes less time than to hand it to a thread.
def _write(path: Path, body: obstore.Bytes) -> int:
    return path.write_bytes(memoryview(body))


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


async def _write_stream(answer: Any, to: Path) -> int:
    written = 0
    with to.open("wb") as file:
        async for chunk in answer.stream(min_chunk_size=WHOLE_BYTES):
            written += await asyncio.to_thread(file.write, chunk)
    return written
