"""CloudFormation in memory: one stack, whose history a test writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aws_parallelizer.aws.cloudformation import ChangeSet, Event, Resource, Stack

STACK_ID = "arn:aws:cloudformation:us-east-1:000000000000:stack/s/1"


@dataclass
class FakeStacks:
    """`history`: what the operation under test brings, status after status, each with its events;
    an exception in place of a status is raised.
    """

    present: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    history: list[tuple[str | BaseException, list[Event]]] = field(default_factory=list)
    proposals: list[tuple[str, str]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    told: list[Event] = field(default_factory=list)

    def find(self, stack: str) -> Stack | None:
        status = self.status(stack)
        return Stack(STACK_ID, status, self.parameters, {}) if status else None

    def status(self, stack: str) -> str:
        moving = self.calls[-1:] in (["execute"], ["delete"])
        if moving and self.history:
            status, events = self.history.pop(0)
            if isinstance(status, BaseException):
                raise status
            self.present = status
            self.told += events
        return self.present

    def resources(self, stack: str) -> dict[str, Resource]:
        return {}

    def propose(
        self,
        change: ChangeSet,
        *,
        template: str,
        create: bool,
        parameters: Mapping[str, str],
        kept: Iterable[str],
    ) -> None:
        self.kept = set(kept)
        self.calls.append("create" if create else "update")
        if create:
            self.present = "REVIEW_IN_PROGRESS"

    def proposal(self, change: ChangeSet) -> tuple[str, str]:
        status, reason = self.proposals.pop(0)
        if status == "interrupt":
            raise KeyboardInterrupt
        return status, reason

    def execute(self, change: ChangeSet) -> None:
        self.calls.append("execute")

    def discard(self, change: ChangeSet) -> None:
        self.calls.append("discard")

    def delete(self, stack: str) -> None:
        self.calls.append("delete")

    def events(self, stack: str, *, after: str = "") -> list[Event]:
        names = [event.id for event in self.told]
        return self.told[names.index(after) + 1 if after in names else 0 :]

    def last_event(self, stack: str) -> str:
        return self.told[-1].id if self.told else ""


def event(number: int, resource: str, status: str, reason: str = "") -> Event:
    return Event(str(number), resource, status, reason, datetime(2025, 1, 1, tzinfo=UTC))
