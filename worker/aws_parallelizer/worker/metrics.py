"""What the worker did, as numbers: a line of its log every minute and at its end, which is sent to
CloudWatch and made metrics of there. A task costs a few additions, and no call.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aws_parallelizer.core.embedded_metrics import document
from aws_parallelizer.core.outcome import Outcome
from aws_parallelizer.core.task import Ended
from aws_parallelizer.core.user_data import UserData
from aws_parallelizer.worker import logs
from aws_parallelizer.worker.work import Work

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0


@dataclass
class Span:
    """Attempts that ended in it: how many came to what, the seconds of their programs, and the
    bytes that were read and stored; `refused` = results that the ledger did not take.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    refused: int = 0
    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0


class Tally:
    """Adds up attempts as they end."""

    def __init__(self) -> None:
        self._span = Span()

    def add(self, work: Work, ended: Ended, *, accepted: bool) -> None:
        """One attempt has ended; `accepted` = the ledger took its result."""
        span = self._span
        if accepted:
            span.outcomes[ended.outcome] += 1
        else:
            span.refused += 1
        span.seconds += ended.seconds or 0.0
        span.bytes_in += work.fetched.size if work.fetched else 0
        span.bytes_out += sum(output.size for output in ended.outputs)

    def take(self) -> Span:
        """What there is since it was last taken."""
        span, self._span = self._span, Span()
        return span


def dimensions(data: UserData) -> dict[str, str]:
    """What the numbers are of: the stack's job or, without one, a queue. Never the instance, for
    each one's metrics would be billed by themselves.
    """
    stack = {"Stack": data.stack} if data.stack else {}
    queue = str(data.parameters.queue_url).rstrip("/").rpartition("/")[2]
    return {**stack, "Job": data.job} if data.job else {**stack, "Queue": queue}


def line(
    span: Span,
    dimensions: Mapping[str, str],
    *,
    seconds: float,
    running: int,
    slots: int,
    now: datetime,
) -> dict[str, Any]:
    """The document of a span of so many seconds, at whose end `running` slots were in use."""
    outcomes, tasks = {Outcome.DONE: 0, **span.outcomes}, span.outcomes.total()
    values = {
        "Tasks": (tasks, "Count"),
        "TasksPerSecond": (round(tasks / seconds, 3) if seconds else 0, "Count/Second"),
        "TaskSeconds": (round(span.seconds, 3), "Seconds"),
        "BytesIn": (span.bytes_in, "Bytes"),
        "BytesOut": (span.bytes_out, "Bytes"),
        "SlotsInUse": (running, "Count"),
        "Slots": (slots, "Count"),
        **{_name(outcome): (count, "Count") for outcome, count in outcomes.items()},
    }
    if span.refused:
        values["ResultsRefused"] = (span.refused, "Count")
    return document(values, dimensions, now=now)


class Metrics:
    """Says what a worker adds to its tally; `running` is how many slots are in use now."""

    def __init__(
        self,
        dimensions: Mapping[str, str],
        tally: Tally,
        *,
        slots: int,
        running: Callable[[], int],
    ) -> None:
        self._dimensions = dimensions
        self._tally = tally
        self._slots = slots
        self._running = running
        self._since = time.monotonic()

    async def keep(self, *, every: float = EVERY_SECONDS) -> None:
        """Say them every so many seconds, the first time sooner; for ever."""
        # A fleet that begins together does not call CloudWatch together.
        await asyncio.sleep(every * random.random())  # noqa: S311 - spreads load, guards nothing
        while True:
            self.say()
            await asyncio.sleep(every)

    def say(self) -> None:
        """The line of the span since the last one, and begin the next span."""
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        fields = line(
            self._tally.take(),
            self._dimensions,
            seconds=seconds,
            running=self._running(),
            slots=self._slots,
            now=datetime.now(UTC),
        )
        sentence = "%d tasks ended in %.1f s"
        log.info(sentence, fields["Tasks"], seconds, extra={"fields": fields, **logs.SENT})


def _name(outcome: Outcome) -> str:
    return "".join(word.title() for word in outcome.split("-"))
