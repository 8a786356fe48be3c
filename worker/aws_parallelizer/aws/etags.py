"""Whether the bytes of an answer are those that its ETag stands for.

That is their MD5, unless the object was uploaded in parts or is encrypted by SSE-KMS or a key of
the customer's: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from aws_parallelizer.aws.object_errors import ObjectFailure

if TYPE_CHECKING:  # in collections.abc from Python 3.12 on
    from typing_extensions import Buffer

_MD5 = re.compile(r"[0-9a-f]{32}")


class Etags:
    """Of the buckets that one process reads. Where the same bytes came twice under an ETag that is
    not their MD5, ETags of that bucket vouch for nothing, and are not asked again.
    """

    def __init__(self) -> None:
        self._silent: set[str] = set()

    def contradict(self, bucket: str, etag: str, body: Buffer) -> bool:
        """Whether the ETag may be another's than these bytes'."""
        if bucket in self._silent or not _MD5.fullmatch(etag):
            return False
        return md5(body) != etag

    def judge(self, bucket: str, etag: str, *, first: str, second: Path) -> None:
        """Decide on a second answer, whose ETag this is, after the first, of the MD5 `first`, was
        contradicted; raises ObjectFailure.
        """
        body = second.read_bytes()
        if md5(body) == first:
            self._silent.add(bucket)
        elif self.contradict(bucket, etag, body):
            raise ObjectFailure(f"bucket {bucket} answers with bytes that are not its object's")


def md5(body: Buffer) -> str:
    """As an ETag has it."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
