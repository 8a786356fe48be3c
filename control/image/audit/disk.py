"""An audit of the blocks of a raw disk, whatever files they belong to or belonged to."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from image.audit.allowed import ALLOWED, Allowed, judged
from image.audit.findings import Finding, Report
from image.audit.patterns import EVERYWHERE
from image.audit.scan import CHUNK, scan


def audit(disk: Path, *, allow: Sequence[Allowed] = ALLOWED) -> Report:
    """Read the disk, a file or a device, to its end; raises OSError. Holes hold nothing, and are
    not read.
    """
    findings: list[Finding] = []
    read = 0
    with disk.open("rb", buffering=0) as file:
        for begin, end in _written(file.fileno()):
            chunks = _chunks(file.fileno(), begin, end)
            findings += (
                Finding(where=disk.name, kind=kind, offset=begin + offset, value=value)
                for kind, offset, value in scan(chunks, EVERYWHERE)
            )
            read += end - begin
    return Report(findings=judged(findings, allow), files=1, bytes=read)


def _written(file: int) -> Iterator[tuple[int, int]]:
    """The spans of the disk that are no holes."""
    size = os.lseek(file, 0, os.SEEK_END)
    end = 0
    while end < size:
        try:
            begin = os.lseek(file, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # a hole to the end
            raise
        end = os.lseek(file, begin, os.SEEK_HOLE)
        yield begin, end


def _chunks(file: int, begin: int, end: int) -> Iterator[bytes]:
    while begin < end:
        chunk = os.pread(file, min(CHUNK, end - begin), begin)
        if not chunk:
            return  # a device may end before the size that it tells
        yield chunk
        begin += len(chunk)
