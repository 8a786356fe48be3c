"""How far an enqueue is, and what becomes of one that nobody carries on: pure.

The steps of an enqueue are messages, and a message may get lost: with the function that was about
to send it, or in the dead-letter queue. Its job would wait for it for ever, so what it lists and
how far it came is written down after each page, and who finds it silent sends its step again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

import msgspec

SILENT = timedelta(minutes=15)  # a step that failed is delivered again after 6 minutes
RESENDS = 5  # and each is delivered 5 times before it is dead


class Progress(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One enqueue: every object up to the key `after` is taken in; `carried` is when that was
    written. Only objects of `newer_than` or later are taken in, where there is one.
    """

    job: str
    run: str
    bucket: str
    prefix: str
    began: datetime
    carried: datetime
    after: str = ""
    newer_than: datetime | None = None
    resent: int = 0
    version: int = 0


class Care(Enum):
    """What an enqueue that is under way needs."""

    NOTHING = "nothing"
    ANOTHER_STEP = "another step"
    AN_END = "an end"


def unknown(job: str, run: str, *, now: datetime) -> Progress:
    """The progress of an enqueue that wrote none down: it is waited for, and never sent again."""
    return Progress(job=job, run=run, bucket="", prefix="", began=now, carried=now, resent=RESENDS)


def care(progress: Progress, *, now: datetime) -> Care:
    """What is to be done about it."""
    if now - progress.carried < SILENT:
        return Care.NOTHING
    return Care.AN_END if progress.resent >= RESENDS else Care.ANOTHER_STEP


def further(one: str, other: str) -> str:
    """The later of two keys in S3's order, that of their bytes."""
    return max(one, other, key=str.encode)
