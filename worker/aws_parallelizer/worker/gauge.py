"""How much to lease: the free slots, and about two seconds of work ahead when tasks are short.

Nothing is to wait here that another worker could do.
"""

from __future__ import annotations

from collections.abc import Collection

from aws_parallelizer.aws.sqs import BATCH
from aws_parallelizer.worker.work import BEFORE_THE_END_OF_RUNNING, Phase, Work

AHEAD_SECONDS = 2.0
MOST_AHEAD = 100


class Gauge:
    """How much work there is in hand, and how much more to ask for."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._seconds: float | None = None
        self._works: set[Work] = set()
        self._before: set[Work] = set()  # those whose program has not ended
        self._narrow: set[Work] = set()  # of these, those that need slots to stay empty
        self.claiming = 0

    def add(self, work: Work) -> None:
        """There is one more."""
        self._works.add(work)
        self.note(work)

    def note(self, work: Work) -> None:
        """It is in another phase."""
        if work in self._works and work.phase in BEFORE_THE_END_OF_RUNNING:
            self._before.add(work)
            if work.at_once < self._slots:
                self._narrow.add(work)
        else:
            self._before.discard(work)
            self._narrow.discard(work)

    def remove(self, work: Work) -> None:
        """It is over."""
        self._works.discard(work)
        self.note(work)

    def ran(self, seconds: float) -> None:
        """A program took so long; recent ones weigh more."""
        self._seconds = seconds if self._seconds is None else 0.8 * self._seconds + 0.2 * seconds

    @property
    def works(self) -> Collection[Work]:
        """All tasks in hand that are claimed."""
        return self._works

    @property
    def held(self) -> int:
        """All tasks in hand."""
        return len(self._works) + self.claiming

    @property
    def running(self) -> int:
        """How many programs run."""
        return sum(work.phase == Phase.RUNNING for work in self._works)

    def room(self) -> int:
        """How many messages to ask for; 0 until a call is worth it.

        Beside a task that needs some slots to stay empty only the others are counted on, and
        nothing waits.
        """
        usable = min((work.at_once for work in self._narrow), default=self._slots)
        ahead = 0 if self._narrow else self._ahead()
        most = usable + ahead
        room = min(most - len(self._before) - self.claiming, 2 * most - self.held, BATCH)
        return room if room >= min(BATCH, max(1, ahead // 2)) else 0

    def _ahead(self) -> int:
        """How many tasks may wait for a slot: none while a task's span is unknown or long."""
        if self._seconds is None or self._seconds >= AHEAD_SECONDS:
            return 0
        return min(MOST_AHEAD, int(self._slots * AHEAD_SECONDS / max(self._seconds, 0.001)))
