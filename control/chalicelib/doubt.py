"""Whether SQS's counts are to be believed: pure.

They are approximate, and have been seen to stay above zero when nothing was there. A task's row is
written before its message, so counts that go on while the ledger has nothing open stand for no
task that it knows. It may be a bare key that somebody sent by hand: so the counts are not passed
over for ever, but one instance now and then looks after them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from aws_parallelizer.core.fleet import Intent

AGAIN = timedelta(hours=1)


def believed(
    demand: int | None, intents: Iterable[Intent], *, contradicted: bool, now: datetime
) -> int | None:
    """The demand to plan for. `contradicted` = several readings found no open task for it."""
    if not demand or not contradicted:
        return demand
    lately = any(now - intent.created < AGAIN for intent in intents)
    return 0 if lately else 1


def sentence(demand: int) -> str:
    """What people are told of it."""
    return (
        f"SQS counts {demand} messages, but the ledger has no open task: counter mismatch, one "
        "instance an hour looks after it"
    )
