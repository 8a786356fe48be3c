"""Reads one file to its end, by all rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from image.audit import accounts, names
from image.audit.contents import Closed, parts
from image.audit.findings import Finding, Unread
from image.audit.patterns import EVERYWHERE, PATTERNS
from image.audit.scan import scan

# An ELF file of the type that the kernel writes when a program crashes, either byte order.
_ELF_CORE = re.compile(rb"\x7fELF.(?:\x01.{10}\x04\x00|\x02.{10}\x00\x04)", re.DOTALL)
# Where people keep settings; what pip installed there is a program's own.
_SETTINGS = re.compile(
    r"(?!.*/site-packages/)(?!usr/local/(?:lib|share)/)"
    r"(?:etc|root|home|opt|srv|mnt|media|tmp|usr/local|var/(?:lib/cloud|spool|tmp|www|opt))/.*",
    re.DOTALL,
)
_ACCOUNTS_BYTES = 1 << 20  # no such file is longer
_HEAD_BYTES = 64


def read(root: Path, path: str) -> tuple[list[Finding], list[Unread]]:
    """What is found in the file at `path` below `root`; raises OSError."""
    findings: list[Finding] = []
    unread: list[Unread] = []
    with (root / path).open("rb") as file:
        findings += _by_head(path, file.read(_HEAD_BYTES))
        file.seek(0)
        if accounts.holds_accounts(path):
            findings += _by_account(path, file.read(_ACCOUNTS_BYTES))
            file.seek(0)
        for part in parts(file):
            try:
                findings.extend(searched(path, part.chunks, inside=part.inside))
            except Closed as closed:
                # What was found before stays; that the rest was not read is told.
                unread.append(Unread(where=path, why=str(closed)))
    return findings, unread


def searched(path: str, chunks: Iterable[bytes], *, inside: bool = False) -> Iterator[Finding]:
    """What the patterns find in a stream that belongs to a path."""
    patterns = PATTERNS if _SETTINGS.fullmatch(path) else EVERYWHERE
    for kind, offset, value in scan(chunks, patterns):
        yield Finding(where=path, kind=kind, offset=offset, inside=inside, value=value)


def _by_head(path: str, head: bytes) -> Iterator[Finding]:
    if _ELF_CORE.match(head):
        yield Finding(where=path, kind="core-file")
    if names.names_a_machine(path, head):
        yield Finding(where=path, kind="machine-state", value=head.strip())


def _by_account(path: str, content: bytes) -> Iterator[Finding]:
    for kind, offset, value in accounts.passwords(path, content):
        yield Finding(where=path, kind=kind, offset=offset, value=value)
