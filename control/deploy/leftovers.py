"""What is left of a stack's work, and whether it holds up a destroy: pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aws_parallelizer.core.fleet import Instance
from chalicelib.holdings import Holdings

_SHOWN = 20  # ids in a line


@dataclass(frozen=True, kw_only=True)
class JobLeft:
    """What one job has left; `tasks` = those that have not ended."""

    name: str
    tasks: int = 0
    messages: int = 0
    enqueues: int = 0
    deleting: bool = False

    @property
    def sentence(self) -> str:
        """What is left of it, empty for nothing."""
        parts = [
            _number(self.tasks, "open task"),
            _number(self.messages, "message"),
            _number(self.enqueues, "unfinished enqueue"),
            "its deletion" if self.deleting else "",
        ]
        said = ", ".join(filter(None, parts))
        return f"job {self.name}: {said}" if said else ""


@dataclass(frozen=True, kw_only=True)
class Left:
    """All that is left. `uploads` and `given_up` are the messages of the uploads queue and of its
    dead-letter queue.
    """

    holdings: Holdings
    jobs: tuple[JobLeft, ...] = ()
    uploads: int = 0
    given_up: int = 0

    @property
    def protected(self) -> tuple[Instance, ...]:
        """Instances that nothing may end."""
        return tuple(each for each in self.holdings.standing if each.protected)

    @property
    def sentences(self) -> list[str]:
        """What holds up a destroy, a line for each; none = nothing does."""
        return [line for line in self._lines() if line]

    def _lines(self) -> Iterator[str]:
        yield from (job.sentence for job in self.jobs)
        if self.uploads:
            yield f"{_number(self.uploads, 'message')} of new objects that no job has yet"
        if self.given_up:
            yield f"{_number(self.given_up, 'message')} of new objects that were given up"
        yield _listed("instance", [each.id for each in self.holdings.standing])
        yield _listed("spot request", [each.id for each in self.holdings.live_requests])
        if self.holdings.unresolved:
            number = _number(len(self.holdings.unresolved), "launch", "launches")
            yield f"{number} of which it is not known what became"


def _listed(thing: str, ids: list[str]) -> str:
    if not ids:
        return ""
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{_number(len(ids), thing)}: {' '.join(sorted(ids)[:_SHOWN])}{more}"


def _number(count: int, one: str, many: str = "") -> str:
    if not count:
        return ""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
