"""S3 objects as files, for the worker's data path.

obstore costs a tenth of boto3's CPU a call, and an object passes through memory in one piece: the
way of small ones. Large ones take boto3's way, in a thread, as streams through one block of memory
each. So do keys that obstore cannot name: control characters; an empty, `.` or `..` part, so also
a slash at either end, which it would drop in silence.

However many files there are and however large, they take _IN_MEMORY_BYTES and some blocks.
"""

from __future__ import annotations

import asyncio
import contextlib
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
from obstore.exceptions import BaseError
from obstore.store import S3Store

from aws_parallelizer.aws import multipart, streaming
from aws_parallelizer.aws.aside import aside
from aws_parallelizer.aws.budget import Budget
from aws_parallelizer.aws.etags import Etags, md5
from aws_parallelizer.aws.object_errors import (
    ObjectFailure,
    ObjectMissing,
    ObjectTaken,
    by_boto3,
    of_obstore,
)
from aws_parallelizer.aws.sections import FileChanged
from aws_parallelizer.aws.streaming import Sent
from aws_parallelizer.core.errors import BadOutput, ParallelizerError

if TYPE_CHECKING:  # no names at run time
    from obstore import GetOptions, PutMode

MAKER = "parallelizer-input"  # the metadata that names the input which made an output
# Up to here an object passes through memory in one piece; from here on the MD5 that has to be made
# of such a one costs more than boto3 does.
WHOLE_BYTES = 2 * 1024 * 1024
PUT_BYTES = 64 * 1024 * 1024  # above, a multipart upload
_IN_MEMORY_BYTES = 16 * 1024 * 1024  # of all objects that pass through it
_UNCOUNTED_BYTES = 16 * 1024  # of an object that is let through at once
_DOWN_AT_ONCE = 8  # streams
_UP_AT_ONCE = 4  # files, of several streams each
_PIECE_BYTES = 1024 * 1024  # one write of more takes the kernel far longer
_EXPIRED = "ExpiredToken"
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
    """A file about to be uploaded: its bytes and their digests."""

    size: int
    sha256: bytes
    md5: str
    body: bytes


class Objects:
    """The objects of any bucket. Methods raise the errors above, and OSError for the local file's
    sake.
    """

    def __init__(self, client: Any, *, store: Callable[[str], S3Store]) -> None:
        self._client = client
        self._store = functools.cache(store)
        self._memory = Budget(_IN_MEMORY_BYTES)
        self._etags = Etags()
        self._down, self._up = asyncio.Semaphore(_DOWN_AT_ONCE), asyncio.Semaphore(_UP_AT_ONCE)

    async def download(
        self, bucket: str, key: str, *, to: Path, size: int = 0, etag: str = ""
    ) -> Fetched:
        """Write the object's bytes to a file; raises ObjectMissing. It is thought to have `size`
        bytes and this `etag`; one that took its place is taken if S3 says that it is another. Of a
        large one that is thought to be large it costs a call less.
        """
        if etag:
            with contextlib.suppress(ObjectTaken):
                fetched = await self._download(bucket, key, to, size, etag)
                _require(fetched, size, etag, f"GET s3://{bucket}/{key}")
                return fetched
        return await self._download(bucket, key, to, size, "")

    async def _download(self, bucket: str, key: str, to: Path, size: int, etag: str) -> Fetched:
        doubtful = ""
        if size <= WHOLE_BYTES and _is_nameable(key):
            small = await self._download_small(bucket, key, to, etag)
            if isinstance(small, Fetched):
                return small
            doubtful = small
        fetched = await self._download_stream(bucket, key, to, etag)
        if doubtful and fetched.size <= WHOLE_BYTES:
            self._etags.judge(bucket, fetched.etag, first=doubtful, second=to)
        return fetched

    async def _download_stream(self, bucket: str, key: str, to: Path, etag: str) -> Fetched:
        call = functools.partial(
            by_boto3, streaming.get, self._client, bucket=bucket, key=key, to=to, etag=etag
        )
        async with self._down:
            try:
                return Fetched(*await aside(lambda halt: call(halt=halt)))
            except ObjectTaken as error:
                if etag:
                    raise
                raise ObjectFailure(f"s3://{bucket}/{key} changed while it was read") from error

    async def _download_small(self, bucket: str, key: str, to: Path, etag: str) -> Fetched | str:
        """Nothing for a large one, of which nothing is read; the MD5 of bytes that came and may not
        be its own, for obstore compares no checksum.
        """
        wanted: GetOptions | None = {"if_match": f'"{etag}"'} if etag else None
        try:
            answer = await obstore.get_async(self._store(bucket), key, options=wanted)
            size, its = answer.meta["size"], (answer.meta["e_tag"] or "").strip('"')
            if size > WHOLE_BYTES:
                return ""
            if not its:
                raise ObjectFailure(f"GET s3://{bucket}/{key}: an answer without an ETag")
            fetched = Fetched(size, its)
            if size <= _UNCOUNTED_BYTES:
                return self._keep(await answer.bytes_async(), fetched, bucket, key, to)
            async with self._memory.take(size):
                return self._keep(await answer.bytes_async(), fetched, bucket, key, to)
        except (BaseError, FileNotFoundError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the local file's, not obstore's
            raise self._told(error, f"GET s3://{bucket}/{key}") from error

    def _told(self, error: Exception, what: str) -> ParallelizerError:
        if _EXPIRED in str(error):
            # obstore keeps credentials by a clock that may have jumped. A new store has new ones.
            self._store.cache_clear()
        return of_obstore(error, what)

    def _keep(
        self, body: obstore.Bytes, fetched: Fetched, bucket: str, key: str, to: Path
    ) -> Fetched | str:
        if len(body) != fetched.size:
            raise ObjectFailure(
                f"GET s3://{bucket}/{key}: {len(body)} of {fetched.size} bytes came"
            )
        if self._etags.contradict(bucket, fetched.etag, body):
            return md5(body)  # and not the bytes, as many may wait for a second look
        _write(to, body)
        return fetched

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
        size = _size(file)
        if size > WHOLE_BYTES:
            async with self._up:
                return await self._send(file, bucket, key, maker=maker, replace=replace)
        if size <= _UNCOUNTED_BYTES:
            return await self._put(read(file), bucket, key, maker=maker, replace=replace)
        async with self._memory.take(size):
            return await self._put(read(file), bucket, key, maker=maker, replace=replace)

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
                    contents.body,
                    attributes={**_metadata(maker)},
                    mode=_mode(replace),
                    use_multipart=False,
                )
            except (BaseError, FileNotFoundError) as error:
                raise self._told(error, f"PUT s3://{bucket}/{key}") from error
            etag = answer["e_tag"] or ""
        # With SSE-S3 or none the ETag is the MD5 of what S3 holds; with SSE-KMS only a HEAD can
        # tell.
        if etag.strip('"') != contents.md5:
            await self._verify(contents.size, contents.sha256, bucket, key)
        return Stored(contents.size, f"sha256:{contents.sha256.hex()}")

    async def _send(
        self, file: BinaryIO, bucket: str, key: str, *, maker: str, replace: bool | str
    ) -> Stored:
        # Not obstore's multipart uploads, which know no condition: without one, the output of a
        # worker that lost its task could take the place of a later one's.
        call = functools.partial(
            by_boto3,
            streaming.put if _size(file) <= PUT_BYTES else multipart.put,
            self._client,
            file,
            bucket=bucket,
            key=key,
            metadata=_metadata(maker),
            conditions=_conditions(replace),
        )
        try:
            sent: Sent = await aside(lambda halt: call(halt=halt))
        except FileChanged as error:
            raise ObjectFailure(f"s3://{bucket}/{key}: the file got shorter on its way") from error
        if not sent.confirmed:
            await self._verify(sent.size, sent.sha256, bucket, key)
        return Stored(sent.size, f"sha256:{sent.sha256.hex()}")

    async def _verify(self, size: int, sha256: bytes, bucket: str, key: str) -> None:
        head = await self._head(bucket, key)
        checksum = head.get("ChecksumSHA256", "")
        whole = checksum and "-" not in checksum  # of parts, S3 keeps a checksum of checksums
        if head["ContentLength"] != size or (whole and checksum != b64encode(sha256).decode()):
            raise ObjectFailure(
                f"s3://{bucket}/{key} is not what was uploaded: {head['ContentLength']} of "
                f"{size} bytes, checksum {checksum or 'unknown'}"
            )

    async def _head(self, bucket: str, key: str) -> dict[str, Any]:
        call = functools.partial(self._client.head_object, ChecksumMode="ENABLED")
        answer: dict[str, Any] = await asyncio.to_thread(by_boto3, call, Bucket=bucket, Key=key)
        return answer

    def _put_by_boto3(
        self, contents: Contents, bucket: str, key: str, maker: str, replace: bool | str
    ) -> str:
        answer = by_boto3(
            self._client.put_object,
            Bucket=bucket,
            Key=key,
            Body=contents.body,
            Metadata=_metadata(maker),
            ChecksumSHA256=b64encode(contents.sha256).decode(),
            **_conditions(replace),
        )
        return str(answer["ETag"])


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
    return Contents(len(body), hashlib.sha256(body).digest(), md5(body), body)


def _require(fetched: Fetched, size: int, etag: str, what: str) -> None:
    # Where it is not, S3 was to say so: it was asked for no other.
    if fetched.etag != etag or (size and fetched.size != size):
        raise ObjectFailure(
            f"{what}: the answer has {fetched.size} bytes and the ETag {fetched.etag:.80}, and not "
            f"{size} and {etag:.80}, as was asked for"
        )


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
def _write(path: Path, body: obstore.Bytes) -> None:
    if len(body) <= _PIECE_BYTES:
        path.write_bytes(memoryview(body))
        return
    with path.open("wb") as file, memoryview(body) as view:
        for at in range(0, len(view), _PIECE_BYTES):
            file.write(view[at : at + _PIECE_BYTES])


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
