"""Files to and from S3 as streams, in blocking calls of boto3's: each takes a block of memory,
however large the file is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from botocore.exceptions import HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from aws_parallelizer.aws.aside import Halt
from aws_parallelizer.aws.object_errors import ObjectFailure
from aws_parallelizer.aws.sections import BLOCK_BYTES, Section, digest

_BROKEN_OFF = (HTTPClientError, IncompleteReadError, HTTPError)  # while a body came


class Sent(NamedTuple):
    """What was stored: its size, and the SHA-256 of just the bytes that were sent; whether S3
    `confirmed` that.
    """

    size: int
    sha256: bytes
    confirmed: bool = False


def get(
    client: Any, *, bucket: str, key: str, to: Path, halt: Halt, etag: str = ""
) -> tuple[int, str]:
    """Write an object to a file, the one of that ETag if any is given; its size and ETag. Raises
    what boto3 raises, and ObjectFailure.

    What S3 has of the checksums that botocore knows is compared. A stream that breaks off is taken
    up where it ended, as long as the object is the same and bytes come.
    """
    at, what = {"Bucket": bucket, "Key": key}, f"GET s3://{bucket}/{key}"
    wanted = {"IfMatch": f'"{etag}"'} if etag else {}
    first = answer = client.get_object(**at, **wanted)
    size, its, got, resumed = first.get("ContentLength"), first.get("ETag"), 0, False
    with contextlib.closing(first["Body"]):
        if size is None or not its:
            raise ObjectFailure(f"{what}: an answer without an ETag or a length")
        halt.check()  # the answer may have come late, and the folder be another attempt's by now
        with to.open("wb") as file:
            while True:
                try:
                    _copy(answer["Body"], file, halt)
                    break
                except _BROKEN_OFF as error:
                    if file.tell() == got:
                        raise ObjectFailure(f"{what}: {error}") from error
                finally:
                    answer["Body"].close()
                got, resumed = file.tell(), True
                answer = _rest(client, at, its, got)
            written = file.tell()
    if written != size:
        raise ObjectFailure(f"{what}: {written} of {size} bytes came")
    if resumed:
        _require_checksum(to, first, halt, what)
    return size, its.strip('"')


def _rest(client: Any, at: Mapping[str, str], etag: str, got: int) -> dict[str, Any]:
    answer: dict[str, Any] = client.get_object(**at, IfMatch=etag, Range=f"bytes={got}-")
    begins = answer.get("ContentRange", "").startswith(f"bytes {got}-")
    if not begins or answer.get("ETag") != etag:
        answer["Body"].close()
        raise ObjectFailure(f"GET s3://{at['Bucket']}/{at['Key']}: not the rest that was asked for")
    return answer


def put(
    client: Any,
    file: BinaryIO,
    *,
    bucket: str,
    key: str,
    metadata: Mapping[str, str],
    conditions: Mapping[str, str],
    halt: Halt,
) -> Sent:
    """Store what is in the file in one call, where the conditions (IfMatch, IfNoneMatch) hold; S3
    compares the SHA-256. Raises what boto3 raises.
    """
    sha256 = hashlib.sha256()
    most = os.fstat(file.fileno()).st_size
    size = digest(file, start=0, most=most, halt=halt, into=sha256.update)
    checksum = b64encode(sha256.digest()).decode()
    answer = client.put_object(
        Bucket=bucket,
        Key=key,
        Body=Section(file, start=0, size=size, halt=halt),
        ContentLength=size,
        Metadata=dict(metadata),
        ChecksumSHA256=checksum,
        **conditions,
    )
    return Sent(size, sha256.digest(), confirmed=answer.get("ChecksumSHA256") == checksum)


def _copy(body: Any, file: BinaryIO, halt: Halt) -> None:
    while block := body.read(BLOCK_BYTES):
        halt.check()
        file.write(block)


class Crc32:
    """zlib's, in hashlib's manner."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, block: memoryview) -> None:
        """Take the next bytes."""
        self._value = zlib.crc32(block, self._value)

    def digest(self) -> bytes:
        """Of all so far, as S3 has it."""
        return self._value.to_bytes(4, "big")


def _require_checksum(path: Path, answer: Mapping[str, Any], halt: Halt, what: str) -> None:
    # Of a file that came in several answers, none of which botocore could check.
    known: dict[str, Any] = {
        "ChecksumCRC32": Crc32(),
        "ChecksumSHA1": hashlib.sha1(usedforsecurity=False),
        "ChecksumSHA256": hashlib.sha256(),
    }
    for name, made in known.items():
        wanted = answer.get(name, "-")
        if "-" in wanted:
            continue  # S3 has none, or one of the checksums of its parts
        with path.open("rb") as file:
            digest(file, start=0, most=answer["ContentLength"], halt=halt, into=made.update)
        if b64encode(made.digest()).decode() != wanted:
            raise ObjectFailure(f"{what}: what came does not have the checksum {wanted}")
