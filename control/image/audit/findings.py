"""What an audit finds. A secret is never repeated: a finding says where it is and how it begins."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_SHOWN = 8  # bytes of a value


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """`where` is a path below the tree, or the disk; `offset` in bytes, in what a compressed file
    holds if `inside`. `value` is all that matched; empty where the file itself is the finding.
    """

    where: str
    kind: str
    offset: int = 0
    inside: bool = False
    value: bytes = b""
    allowed: str = ""  # the reason, if it is

    def told(self) -> dict[str, object]:
        """As JSON takes it."""
        told: dict[str, object] = {"kind": self.kind, "where": self.where, "offset": self.offset}
        if self.inside:
            told["inside"] = True
        if self.value:
            told["begins"] = self.value[:_SHOWN].decode("ascii", "backslashreplace")
            told["length"] = len(self.value)
            told["sha256"] = hashlib.sha256(self.value).hexdigest()
        if self.allowed:
            told["allowed"] = self.allowed
        return told


@dataclass(frozen=True, kw_only=True, order=True)
class Unread:
    """A file whose content was not all seen, and why; or a place that is `away`, on no disk."""

    where: str
    why: str
    away: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """All of an audit; `files` and `bytes` that were read, each compressed byte once as it lies."""

    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...] = ()
    files: int = 0
    bytes: int = 0

    @property
    def refused(self) -> tuple[Finding, ...]:
        """Those that nothing allows."""
        return tuple(finding for finding in self.findings if not finding.allowed)
