"""Whose is what a call changes: seen on EC2's own truth before the call takes effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aws_parallelizer.core.fleet import TAG_JOB, TAG_STACK
from fakes.ec2 import FakeEc2
from fakes.ec2.machine import Tags

_NAMES = ("InstanceIds", "SpotInstanceRequestIds", "Resources")


@dataclass
class Guard:
    """Every call that changes something names things of one job of the stack, and of that alone.
    `known` are the jobs there are now.
    """

    ec2: FakeEc2
    stack: str
    known: Callable[[], set[str]]
    broken: list[str] = field(default_factory=list)

    def __call__(self, operation: str, given: dict[str, Any]) -> None:
        if operation.startswith("describe"):
            return
        ids = [id_ for name in _NAMES for id_ in given.get(name, [])]
        owners = {self._owner(id_) for id_ in ids if self._is_there(id_)}
        if len(owners) > 1 or not owners <= self.known():
            self.broken.append(f"{operation} named {ids}, which are of {sorted(owners)}")
        template = given.get("LaunchTemplateName", f"{self.stack}/")
        if not template.startswith(f"{self.stack}/"):
            self.broken.append(f"{operation} named the launch template {template}")

    def check(self) -> None:
        """Raise AssertionError if something else was named so far."""
        assert not self.broken, "; ".join(self.broken)

    def _is_there(self, id_: str) -> bool:
        return id_ in self.ec2.machines or id_ in self.ec2.specs

    def _owner(self, id_: str) -> str:
        """The job, "" for nobody's: by the tags, or by those of a request and its instances."""
        if spec := self.ec2.specs.get(id_):
            made = [each.tags for each in self.ec2.machines.values() if each.request == id_]
            return self._named(spec.tags, *made)
        machine = self.ec2.machines[id_]
        request = self.ec2.specs.get(machine.request)
        return self._named(machine.tags, *([request.tags] if request else []))

    def _named(self, *every: Tags) -> str:
        found = [each[TAG_JOB] for each in every if each.get(TAG_STACK) == self.stack]
        return next(iter(found), "")
