"""When a job's work is over: pure.

SQS's counts are approximate and its three numbers are read at different moments; one reading that
says zero proves nothing. So nothing is let go before several readings in a row, spread over
minutes, found all of it empty: the queue, the uploads on their way to it, the enqueues, the
launches and the ledger. A reading that failed is not an empty one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aws_parallelizer.core.fleet import Streak


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one tick read; None = could not be read, or was not asked for."""

    messages: int | None
    uploads: int | None
    enqueues: int
    unsettled_launches: int
    wishes: int
    open_tasks: bool | None

    @property
    def quiet(self) -> bool:
        """Nothing is in a queue and nothing will come into one by itself."""
        return self.messages == 0 and self.uploads == 0 and self.enqueues == 0

    @property
    def empty(self) -> bool:
        """Nothing is left to do, and nothing is being launched."""
        launching = self.unsettled_launches or self.wishes
        return self.quiet and self.open_tasks is False and not launching

    @property
    def lost(self) -> bool:
        """The ledger has open tasks that no queue knows of."""
        return self.quiet and self.open_tasks is True

    @property
    def contradicted(self) -> bool:
        """SQS counts messages, and the ledger has nothing open that they could stand for."""
        return bool(self.messages) and self.open_tasks is False


def after(streak: Streak, *, said: bool, now: datetime) -> Streak:
    """The streak with one more reading; one that did not say so ends it. No streak began after now:
    one that says so was written by a clock that was wrong.
    """
    if not said:
        return Streak()
    return Streak(readings=streak.readings + 1, since=min(streak.since or now, now))


def is_proof(streak: Streak, *, readings: int, seconds: float, now: datetime) -> bool:
    """Whether so many readings said so over so long a span, up to `now`."""
    if streak.since is None or streak.readings < readings:
        return False
    return (now - streak.since).total_seconds() >= seconds
