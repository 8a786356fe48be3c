"""A file as one object in parts, so that it passes through flat memory, and appears in one moment
or not at all.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO, NamedTuple

PART_BYTES = 8 * 1024 * 1024
MAX_PARTS = 9000  # S3 takes 10,000
_AT_ONCE = 4


class Sent(NamedTuple):
    """What was stored: its size, and the SHA-256 of just the bytes that were sent."""

    size: int
    sha256: bytes


def put(
    client: Any,
    file: BinaryIO,
    *,
    bucket: str,
    key: str,
    size: int,
    metadata: Mapping[str, str],
    conditions: Mapping[str, str],
) -> Sent:
    """Store what is in the file, about `size` bytes, where the conditions (IfMatch, IfNoneMatch)
    hold in the end; raises what boto3 raises, with no part left behind.
    """
    at = {"Bucket": bucket, "Key": key}
    begun = client.create_multipart_upload(
        **at, Metadata=dict(metadata), ChecksumAlgorithm="SHA256"
    )
    at["UploadId"] = begun["UploadId"]
    part_bytes = max(PART_BYTES, -(-size // MAX_PARTS))
    try:
        parts, sent = _send(client, file, at, part_bytes)
        client.complete_multipart_upload(**at, MultipartUpload={"Parts": parts}, **conditions)
    except BaseException:
        client.abort_multipart_upload(**at)
        raise
    return sent


def _send(
    client: Any, file: BinaryIO, at: Mapping[str, str], part_bytes: int
) -> tuple[list[dict[str, Any]], Sent]:
    def send(number: int, chunk: bytes, digest: str) -> dict[str, Any]:
        answer = client.upload_part(**at, PartNumber=number, Body=chunk, ChecksumSHA256=digest)
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": digest}

    sha256, size = hashlib.sha256(), 0
    waiting: list[Future[dict[str, Any]]] = []
    parts: list[dict[str, Any]] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for number, chunk in enumerate(_chunks(file, part_bytes), start=1):
            sha256.update(chunk)
            size += len(chunk)
            digest = b64encode(hashlib.sha256(chunk).digest()).decode()
            waiting.append(pool.submit(send, number, chunk, digest))
            if len(waiting) >= _AT_ONCE:
                parts.append(waiting.pop(0).result())
        parts += [each.result() for each in waiting]
    return parts, Sent(size, sha256.digest())


def _chunks(file: BinaryIO, part_bytes: int) -> Iterator[bytes]:
    while chunk := file.read(part_bytes):
        yield chunk
