"""A zip in a bucket, looked into by parts: its list stands at its end, and no more is fetched."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from botocore.exceptions import ClientError

from aws_parallelizer.core.errors import NotFound, ParallelizerError

_TAIL_BYTES = 128 * 1024  # holds the whole list of most zips, so that one GET tells all
_MOST_BYTES = 64 * 1024 * 1024  # of one read: a list of about 600,000 members


def opened(client: Any, bucket: str, key: str) -> zipfile.ZipFile:
    """The zip, to be closed. Raises NotFound, what zipfile raises for what is no zip, and else what
    botocore raises.
    """
    return zipfile.ZipFile(RemoteFile(client, bucket, key))


class RemoteFile(io.RawIOBase):
    """An object as a file to read: its tail is kept, all else is fetched when it is asked for."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self._place = {"Bucket": bucket, "Key": key}
        try:
            head = client.head_object(**self._place)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NoSuchBucket"):
                raise
            raise NotFound(f"there is no object {key} in bucket {bucket}") from error
        self.size = int(head["ContentLength"])
        self._etag = head["ETag"]
        self._position = 0
        self._tail_start = max(0, self.size - _TAIL_BYTES)
        self._tail = self._fetch(self._tail_start, self.size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise OSError("a place before the object's first byte")
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes; raises ParallelizerError for more at once than a list of members has."""
        start = min(self._position, self.size)
        end = self.size if size is None or size < 0 else min(start + size, self.size)
        if end - start > _MOST_BYTES:
            raise ParallelizerError(f"its list of members has {end - start} bytes")
        if start >= self._tail_start:
            found = self._tail[start - self._tail_start : end - self._tail_start]
        else:
            found = self._fetch(start, end)
        self._position = start + len(found)
        return found

    def _fetch(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        answer = self._client.get_object(
            **self._place, Range=f"bytes={start}-{end - 1}", IfMatch=self._etag
        )
        found: bytes = answer["Body"].read()
        return found
