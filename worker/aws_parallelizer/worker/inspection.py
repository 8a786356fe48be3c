"""What a worker says of itself when it is sent SIGUSR1; nothing is disturbed by it."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Collection

from aws_parallelizer.worker.work import Work

log = logging.getLogger(__name__)

SIGNAL = signal.SIGUSR1  # which ends a process that has no handler for it


def tell_of_no_task(*_of_a_signal: object) -> None:
    """What there is to say before there are tasks and after."""
    log.info("no task is in hand: the worker begins or ends")


def tell(works: Callable[[], Collection[Work]], *, slots: int) -> None:
    """A line for each task in hand, oldest first, and one for them all."""
    now, found = time.monotonic(), sorted(works(), key=lambda work: work.taken)
    for work in found:
        fields = {
            **work.fields,
            "phase": work.phase,
            "phaseSeconds": round(now - work.since, 1),
            "seconds": round(now - work.taken, 1),
        }
        log.info("task in hand", extra={"fields": fields})
    log.info("%d tasks are in hand, of which %d may run at once", len(found), slots)
