"""How far an enqueue or a retry is, and what becomes of one that nobody carries on: pure.

Their steps are messages, and a message may get lost: with the function that was about
to send it, or in the dead-letter queue. Its job would wait for it for ever, so what it lists and
how far it came is written down after each page, and who finds it silent sends its step again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

import msgspec

from aws_parallelizer.core.outcome import Outcome

SILENT = timedelta(minutes=15)  # a step that failed is delivered again after 6 minutes
RESENDS = 5  # and each is delivered 5 times before it is dead


class Retry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a retry is of, None = not narrowed so, and what it did: how many tasks it has `retried`
    or `passed_over` though they were asked for, and how many `keys` are `unknown`. What it put back
    before `sent` has its message.
    """

    outcome: Outcome | None = None
    keys: tuple[str, ...] | None = None
    retried: int = 0
    passed_over: int = 0
    unknown: int = 0
    sent: datetime | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One enqueue: every object up to the key `after` is taken in; `carried` is when that was
    written. Only objects of `newer_than` or later are taken in, where there is one.

    Or one `retry`, of tasks under the prefix: `after` is the ledger's token of how far it came.
    """

    job: str
    run: str
    bucket: str
    prefix: str
    began: datetime
    carried: datetime
    after: str = ""
    newer_than: datetime | None = None
    retry: Retry | None = None
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
