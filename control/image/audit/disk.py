"""An audit of the blocks of a raw disk, whatever files they belong to or belonged to."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from image.audit import work
from image.audit.allowed import ALLOWED, Allowed, judged
from image.audit.findings import Finding, Report
from image.audit.patterns import BEFORE, EVERYWHERE, LONGEST
from image.audit.scan import CHUNK, scan

_STRETCH = 16 << 20  # bytes that a process searches at a time
# Of what stands around a stretch: a match before it may reach into it, and one in it end behind.
_AROUND = LONGEST + BEFORE


class _Stretch(NamedTuple):
    """Bytes of a disk: matches that begin in them are told; `since` and `until` bound what is read,
    which is no hole.
    """

    disk: Path
    begin: int
    end: int
    since: int
    until: int


def audit(disk: Path, *, allow: Sequence[Allowed] = ALLOWED) -> Report:
    """Read the disk, a file or a device, to its end; raises OSError. Holes hold nothing, and are
    not read.
    """
    stretches = [one for since, until in _written(disk) for one in _cut(disk, since, until)]
    size = sum(one.end - one.begin for one in stretches)
    findings = [each for found in work.spread(_search, stretches, size=size) for each in found]
    return Report(findings=judged(findings, allow), files=1, bytes=size)


def _written(disk: Path) -> Iterator[tuple[int, int]]:
    """The spans of the disk that are no holes."""
    with disk.open("rb", buffering=0) as file:
        size = os.lseek(file.fileno(), 0, os.SEEK_END)
        end = 0
        while end < size:
            try:
                begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return  # a hole to the end
                raise
            end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            yield begin, end


def _cut(disk: Path, since: int, until: int) -> Iterator[_Stretch]:
    for begin in range(since, until, _STRETCH):
        end = min(begin + _STRETCH, until)
        yield _Stretch(disk, begin, end, max(begin - _AROUND, since), min(end + _AROUND, until))


def _search(stretch: _Stretch) -> list[Finding]:
    with stretch.disk.open("rb", buffering=0) as file:
        chunks = _chunks(file.fileno(), stretch.since, stretch.until)
        return [
            Finding(
                where=stretch.disk.name,
                kind=kind,
                offset=stretch.since + offset,
                value=value,
                inside=inside,
            )
            for kind, offset, value, inside in scan(chunks, EVERYWHERE)
            if stretch.begin <= stretch.since + offset < stretch.end
        ]


def _chunks(file: int, begin: int, end: int) -> Iterator[bytes]:
    while begin < end:
        chunk = os.pread(file, min(CHUNK, end - begin), begin)
        if not chunk:
            return  # a device may end before the size that it tells
        yield chunk
        begin += len(chunk)
