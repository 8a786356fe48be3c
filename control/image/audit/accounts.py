"""Passwords in the files that hold the machine's accounts."""

from __future__ import annotations

from collections.abc import Iterator

from image.audit.scan import Match

_SHADOWS = ("etc/shadow", "etc/shadow-", "etc/gshadow", "etc/gshadow-")
_PASSWDS = ("etc/passwd", "etc/passwd-")
# A hash behind `!` is one that `passwd -u` brings back.
_LOCKED = (b"*", b"!", b"!!", b"!*", b"x", b"*LK*", b"*NP*")


def holds_accounts(path: str) -> bool:
    """Whether `passwords` is to be asked of the file."""
    return path in _SHADOWS or path in _PASSWDS


def holds_rights(path: str) -> bool:
    """Whether `rights` is to be asked of the file."""
    return path == "etc/sudoers" or path.startswith("etc/sudoers.d/")


def rights(content: bytes) -> Iterator[Match]:
    """The lines of sudo's settings by which somebody needs no password."""
    offset = 0
    for line in content.splitlines(keepends=True):
        if b"NOPASSWD" in line and not line.lstrip().startswith(b"#"):
            yield Match("sudo-without-password", offset, line.strip())
        offset += len(line)


def passwords(path: str, content: bytes) -> Iterator[Match]:
    """The account lines with a password, or with an empty one that lets everybody in."""
    offset = 0
    for line in content.splitlines(keepends=True):
        fields = line.rstrip(b"\r\n").split(b":")
        if len(fields) > 1 and not line.startswith(b"#"):
            password = fields[1]
            if password and password not in _LOCKED:
                yield Match("account-password", offset, password)
            elif not password and "gshadow" not in path:  # a group without one lets nobody in
                yield Match("empty-password", offset, fields[0])
        offset += len(line)
