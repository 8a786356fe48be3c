"""A file as one object in parts: several go at once, one that fails is sent again alone, and the
object appears in one moment or not at all.
"""

from __future__ import annotations

import functools
import hashlib
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from typing import Any, BinaryIO, NamedTuple

from aws_parallelizer.aws.aside import Halt, begin
from aws_parallelizer.aws.sections import Section, digest
from aws_parallelizer.aws.streaming import Crc32, Sent

PART_BYTES = 16 * 1024 * 1024
MAX_PARTS = 9000  # S3 takes 10,000
_AT_ONCE = 4
_END_SECONDS = 3.0  # for parts that are wanted no more


class _Part(NamedTuple):
    number: int
    start: int
    size: int
    checksum: str


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
    """Store what is in the file where the conditions (IfMatch, IfNoneMatch) hold in the end; S3
    compares a CRC-32 of each part. Raises what boto3 raises, with no part left behind.
    """
    at = {"Bucket": bucket, "Key": key}
    begun = client.create_multipart_upload(**at, Metadata=dict(metadata), ChecksumAlgorithm="CRC32")
    at["UploadId"] = begun["UploadId"]
    try:
        parts, sent = _send(client, file, at, halt)
        client.complete_multipart_upload(**at, MultipartUpload={"Parts": parts}, **conditions)
    except BaseException:
        client.abort_multipart_upload(**at)
        raise
    return sent


def _send(
    client: Any, file: BinaryIO, at: Mapping[str, str], halt: Halt
) -> tuple[list[dict[str, Any]], Sent]:
    def send(part: _Part) -> dict[str, Any]:
        named = {"PartNumber": part.number, "ChecksumCRC32": part.checksum}
        body = Section(file, start=part.start, size=part.size, halt=halt)
        answer = client.upload_part(**at, **named, Body=body, ContentLength=part.size)
        return {**named, "ETag": answer["ETag"]}

    sha256, size = hashlib.sha256(), 0
    waiting: list[Future[dict[str, Any]]] = []
    sent: list[dict[str, Any]] = []
    try:
        for part in _parts(file, sha256, halt):
            size += part.size
            waiting.append(begin(functools.partial(send, part)))
            if len(waiting) >= _AT_ONCE:
                sent.append(waiting.pop(0).result())
        sent += [each.result() for each in waiting]
    except BaseException:
        halt.set()
        wait(waiting, timeout=_END_SECONDS)
        raise
    return sent, Sent(size, sha256.digest())


def _parts(file: BinaryIO, sha256: Any, halt: Halt) -> Iterator[_Part]:
    # Each is read here for its checksums, and again, from the system's cache, when it is sent.
    expected = os.fstat(file.fileno()).st_size
    most = max(PART_BYTES, -(-expected // MAX_PARTS))
    number, start = 1, 0
    while True:
        crc32 = Crc32()

        def into(block: memoryview, crc32: Crc32 = crc32) -> None:
            sha256.update(block)
            crc32.update(block)

        size = digest(file, start=start, most=most, halt=halt, into=into)
        if not size and number > 1:
            return
        yield _Part(number, start, size, b64encode(crc32.digest()).decode())
        number, start = number + 1, start + size
