"""An audit of all files below a folder."""

from __future__ import annotations

import bisect
import errno
import itertools
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from image.audit import names, work
from image.audit.allowed import ALLOWED, Allowed, judged
from image.audit.findings import Finding, Report, Unread
from image.audit.patterns import EVERYWHERE
from image.audit.reading import Reader
from image.audit.scan import scan

_BATCH_BYTES = 8 << 20
_BATCH_FILES = 200
# File systems that lie on a disk; all others exist only while the machine runs.
_ON_DISK = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat", "overlay", "squashfs", "erofs"}


class File(NamedTuple):
    """A regular file: its path below the root, its size in bytes."""

    path: str
    size: int


@dataclass
class _Seen:
    files: list[File] = field(default_factory=list)
    names: list[tuple[str, bytes]] = field(default_factory=list)  # of a path, and links' targets
    findings: list[Finding] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def audit(root: Path, *, allow: Sequence[Allowed] = ALLOWED) -> Report:
    """Read all that is below the folder `root`; raises OSError for what cannot be read."""
    seen = _walk(root)
    seen.findings += _in_names(seen.names)
    for found, closed in _read_all(root, seen.files):
        seen.findings += found
        seen.unread += closed
    return Report(
        findings=judged(seen.findings, allow),
        unread=tuple(sorted(seen.unread)),
        files=len(seen.files),
        bytes=sum(file.size for file in seen.files),
    )


def _walk(root: Path) -> _Seen:
    """Look at every name, and list what is to be read."""
    seen = _Seen()
    away = _virtual_mounts(root)
    known: set[tuple[int, int]] = set()
    pending = [""]
    while pending:
        below = pending.pop()
        for entry in os.scandir(root / below):
            path = f"{below}/{entry.name}" if below else entry.name
            seen.names.append((path, os.fsencode(entry.name)))  # its folder's is there already
            seen.names += ((path, value) for value in _attributes(entry.path))
            if entry.is_dir(follow_symlinks=False):
                if path in away:
                    seen.unread.append(
                        Unread(where=path, why=f"{away[path]}: not on the disk", away=True)
                    )
                else:
                    pending.append(path)
            else:
                _look(path, entry, seen, known)
    return seen


def _look(path: str, entry: os.DirEntry[str], seen: _Seen, known: set[tuple[int, int]]) -> None:
    status = entry.stat(follow_symlinks=False)
    link = stat.S_ISLNK(status.st_mode)
    if not status.st_size or not (link or stat.S_ISREG(status.st_mode)):
        return  # empty, a device, a pipe or a socket
    seen.findings += (Finding(kind=kind, where=path) for kind in names.kinds(path))
    if link:
        seen.names.append((path, os.fsencode(os.readlink(entry.path))))  # noqa: PTH115  quick
    elif status.st_nlink == 1 or (status.st_dev, status.st_ino) not in known:
        seen.files.append(File(path, status.st_size))
        known.add((status.st_dev, status.st_ino))


def _attributes(path: str) -> Iterator[bytes]:
    try:
        for name in os.listxattr(path, follow_symlinks=False):
            yield os.getxattr(path, name, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.ENODATA):
            raise
        # The file system has none, or one went while we looked.


def _in_names(named: list[tuple[str, bytes]]) -> Iterator[Finding]:
    """What is found in names, all of them searched at once: there are thousands, and short."""
    begins = list(itertools.accumulate((len(text) + 1 for _, text in named), initial=0))
    for kind, offset, value, _ in scan([b"\n".join(text for _, text in named)], EVERYWHERE):
        path, _ = named[bisect.bisect_right(begins, offset) - 1]
        yield Finding(where=path, kind=kind, value=value)


def _read_all(root: Path, files: list[File]) -> Iterator[tuple[list[Finding], list[Unread]]]:
    batches = [(root, batch) for batch in _batches(files)]
    yield from work.spread(_read_batch, batches, size=sum(file.size for file in files))


def _batches(files: list[File]) -> Iterator[list[File]]:
    """The largest first, so that no process is left alone with one at the end."""
    batch: list[File] = []
    size = 0
    for file in sorted(files, key=lambda one: (-one.size, one.path)):
        batch.append(file)
        size += file.size
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read_batch(batch: tuple[Path, list[File]]) -> tuple[list[Finding], list[Unread]]:
    root, files = batch
    reader = Reader(root)
    for file in files:
        try:
            reader.read(file.path)
        except OSError as error:
            reader.unread.append(Unread(where=file.path, why=f"cannot be read: {error.strerror}"))
    reader.finish()
    return reader.findings, reader.unread


def _virtual_mounts(root: Path) -> dict[str, str]:
    """What is mounted below the root and lies on no disk: its path, and its file system's type."""
    found: dict[str, str] = {}
    place = str(root.resolve()).rstrip("/")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        mounted = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split()[4])
        kind = after.split()[0]
        if mounted.startswith(f"{place}/") and kind not in _ON_DISK:
            found[mounted[len(place) + 1 :]] = kind
    return found
