"""What the queues and the ledger say about a job's work, at one tick."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from functools import cached_property

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.sqs import Counts, is_gone
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.outcome import OPEN
from chalicelib.context import Context
from chalicelib.emptiness import Reading
from chalicelib.holdings import Holdings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Readings:
    """The readings for one job; each service is asked at most once. `uploads` None = unknown."""

    context: Context
    job: Job
    uploads: int | None

    @property
    def demand(self) -> int | None:
        """visible + in flight + delayed; None = the queue could not be read."""
        return self._backlog.total if isinstance(self._backlog, Counts) else None

    @property
    def queued(self) -> int | None:
        """visible + delayed: messages that nobody works on."""
        counts = self._backlog
        return counts.visible + counts.delayed if isinstance(counts, Counts) else None

    @property
    def in_flight(self) -> int | None:
        """Messages that workers hold."""
        return self._backlog.in_flight if isinstance(self._backlog, Counts) else None

    @property
    def trouble(self) -> str:
        """Why the queue could not be read."""
        return "" if isinstance(self._backlog, Counts) else self._backlog

    def take(self, holdings: Holdings) -> Reading:
        """One reading for the emptiness rule: the queue before the ledger, for a task's row is
        written before its message and ends before it; the ledger only where the queues are quiet,
        or where it may contradict them.
        """
        reading = Reading(
            messages=self.demand,
            uploads=self.uploads,
            enqueues=len(self.job.enqueues),
            unsettled_launches=holdings.unsettled,
            wishes=len(self.job.wishes),
            open_tasks=None,
        )
        if not (reading.quiet or reading.messages):
            return reading
        return dataclasses.replace(reading, open_tasks=self._open_tasks)

    @cached_property
    def _backlog(self) -> Counts | str:
        try:
            return self.context.queue(self.job.queue_url).counts()
        except CALL_FAILED as error:
            log.warning("the queue of job %s could not be read: %s", self.job.name, error)
            if is_gone(error):
                return f"its queue {self.job.queue_url} is gone: PUT the job again to make it anew"
            return f"the queue could not be read ({error})"

    @cached_property
    def _open_tasks(self) -> bool:
        return self.context.ledger.has_any(self.job.name, OPEN)
