"""What one check found. Pure.

verdict       what it means
ok            as a launch needs it
warning       a launch may work, and there is something to know before
failed        a launch will not work, or not as wanted
not checked   it could not be looked at, and why
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `cause` says what was seen, `cure` what to do, empty where there is nothing."""

    name: str
    verdict: Verdict
    cause: str
    cure: str = ""


def ok(name: str, cause: str) -> Finding:
    """All is well."""
    return Finding(name=name, verdict=Verdict.OK, cause=cause)


def warning(name: str, cause: str, cure: str) -> Finding:
    """To be known."""
    return Finding(name=name, verdict=Verdict.WARNING, cause=cause, cure=cure)


def failed(name: str, cause: str, cure: str = "") -> Finding:
    """To be cured first."""
    return Finding(name=name, verdict=Verdict.FAILED, cause=cause, cure=cure)


def sentence(cause: object) -> str:
    """The text with one full stop at its end: what AWS says has one or none."""
    return f"{str(cause).rstrip('.')}."


def not_checked(name: str, why: str) -> Finding:
    """It could not be looked at."""
    return Finding(name=name, verdict=Verdict.NOT_CHECKED, cause=why)
