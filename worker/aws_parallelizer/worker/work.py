"""A task in this worker's hands."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from aws_parallelizer.aws.objects import Fetched
from aws_parallelizer.aws.sqs import MAX_VISIBILITY_SECONDS
from aws_parallelizer.core.task import Task


class Phase(StrEnum):
    """What happens to it."""

    PREPARING = "preparing"  # its scratch directory is made, its input downloaded
    WAITING = "waiting"  # for a slot
    RUNNING = "running"  # the program runs
    STORING = "storing"  # its outputs are uploaded
    CLOSING = "closing"  # the ledger and the queue are told


NOT_BEGUN = (Phase.PREPARING, Phase.WAITING)
BEFORE_THE_END_OF_RUNNING = (*NOT_BEGUN, Phase.RUNNING)


@dataclass(eq=False, kw_only=True)
class Work:
    """`task` is its row as the ledger has it, `taken` the monotonic time of its receive, `at_once`
    how many programs may run while its does; `notify` hears of it after each change of phase.
    """

    task: Task
    handle: str
    taken: float
    at_once: int
    notify: Callable[[Work], None]
    phase: Phase = field(default=Phase.PREPARING)
    fetched: Fetched | None = None
    since: float = field(default_factory=time.monotonic)  # in this phase

    def enter(self, phase: Phase) -> None:
        """Go on to the next phase."""
        self.phase, self.since = phase, time.monotonic()
        self.notify(self)

    @property
    def attempt(self) -> int:
        """Which counted attempt this is, from 1."""
        return self.task.attempts + 1

    @property
    def fields(self) -> dict[str, object]:
        """What a line of the log about it says of it."""
        return {
            "job": self.task.job,
            "key": self.task.key,
            "attempt": self.attempt,
            "instance": self.task.instance,
        }

    def lease_left(self) -> float:
        """Seconds until SQS ends the lease, however often it is renewed."""
        return self.taken + MAX_VISIBILITY_SECONDS - time.monotonic()
