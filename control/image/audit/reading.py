"""Reads files to their end, by all rules."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from image.audit import accounts, names
from image.audit.contents import Closed, Part, parts
from image.audit.findings import Finding, Unread
from image.audit.patterns import EVERYWHERE, PATTERNS, Pattern
from image.audit.scan import CHUNK, Match, scan

# An ELF file of the type that the kernel writes when a program crashes, either byte order.
_ELF_CORE = re.compile(rb"\x7fELF.(?:\x01.{10}\x04\x00|\x02.{10}\x00\x04)", re.DOTALL)
# Where people keep settings: not what packages bring, which Python's, too, say of themselves.
_SETTINGS = re.compile(
    r"(?!boot/)(?!.*/(?:site|dist)-packages/)(?!.*\.whl\Z)(?!var/(?:cache|lib/dpkg)/)"
    r"(?!usr/(?!local/|lib/systemd/(?:system|user)/)).*",
    re.DOTALL,
)
_ACCOUNTS_BYTES = 1 << 20  # no such file is longer
_HEAD_BYTES = 64
_AT_ONCE = 4 << 20  # bytes of small files that are searched as one text
_BETWEEN = b"\0" * 256  # such files: more than a pattern that takes zeros goes on behind a match


class Reader:
    """Reads files below `root`, one after another; then `finish` it."""

    def __init__(self, root: Path) -> None:
        self.findings: list[Finding] = []
        self.unread: list[Unread] = []
        self._root = root
        self._small = _Small(), _Small()  # not of settings, and of settings

    def read(self, path: str) -> None:
        """Find what is in a file, at once or when the reader is finished; raises OSError."""
        with (self._root / path).open("rb") as file:
            self.findings += _by_head(path, file.read(_HEAD_BYTES))
            file.seek(0)
            if accounts.holds_accounts(path):
                self.findings += _by_account(path, file.read(_ACCOUNTS_BYTES))
                file.seek(0)
            if accounts.holds_rights(path):
                found = accounts.rights(file.read(_ACCOUNTS_BYTES))
                self.findings += (_finding(path, False, match) for match in found)
                file.seek(0)
            for part in parts(file):
                self._search(path, part)

    def finish(self) -> None:
        """Search what still waits."""
        for small, patterns in zip(self._small, (EVERYWHERE, PATTERNS), strict=True):
            self.findings += small.searched(patterns)

    def _search(self, path: str, part: Part) -> None:
        settings = _SETTINGS.fullmatch(path) is not None
        begin: list[bytes] = []
        chunks = self._readable(path, part.chunks)
        for chunk in chunks:
            begin.append(chunk)
            if sum(map(len, begin)) >= CHUNK:
                patterns = PATTERNS if settings else EVERYWHERE
                found = scan(itertools.chain(begin, chunks), patterns)
                self.findings += (_finding(path, part.inside, match) for match in found)
                return
        self._add(path, b"".join(begin), settings=settings, inside=part.inside)

    def _readable(self, path: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """What can be read of them; that the rest was not is told."""
        try:
            yield from chunks
        except Closed as closed:
            self.unread.append(Unread(where=path, why=str(closed)))

    def _add(self, path: str, content: bytes, *, settings: bool, inside: bool) -> None:
        small = self._small[settings]
        small.add(path, content, inside=inside)
        if small.length >= _AT_ONCE:
            self.findings += small.searched(PATTERNS if settings else EVERYWHERE)


class _Small:
    """Contents of files that are searched together: many small searches take longer than one."""

    def __init__(self) -> None:
        self.length = 0
        self._pieces: list[bytes] = []
        self._begins: list[int] = []
        self._names: list[tuple[str, bool]] = []

    def add(self, path: str, content: bytes, *, inside: bool) -> None:
        self._names.append((path, inside))
        self._begins.append(self.length)
        self._pieces += (content, _BETWEEN)
        self.length += len(content) + len(_BETWEEN)

    def searched(self, patterns: Sequence[Pattern]) -> Iterator[Finding]:
        """What is found in them; then there are none."""
        pieces, begins, named = self._pieces, self._begins, self._names
        self.length, self._pieces, self._begins, self._names = 0, [], [], []
        for match in scan([b"".join(pieces)], patterns):
            number = bisect.bisect_right(begins, match.offset) - 1
            path, inside = named[number]
            yield _finding(path, inside, match._replace(offset=match.offset - begins[number]))


def _finding(path: str, inside: bool, match: Match) -> Finding:
    return Finding(
        where=path,
        kind=match.kind,
        offset=match.offset,
        inside=inside or match.inside,
        value=match.value,
    )


def _by_head(path: str, head: bytes) -> Iterator[Finding]:
    if _ELF_CORE.match(head):
        yield Finding(where=path, kind="core-file")
    if names.names_a_machine(path, head):
        yield Finding(where=path, kind="machine-state", value=head.strip())


def _by_account(path: str, content: bytes) -> Iterator[Finding]:
    for match in accounts.passwords(path, content):
        yield _finding(path, False, match)
