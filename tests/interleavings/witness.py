"""What must hold whatever happens, seen on EC2's own truth and not on what reconcile believes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aws_parallelizer.core.errors import NotFound
from aws_parallelizer.core.fleet import TAG_JOB, TAG_PROTECT, TAG_STACK
from fakes.ec2 import Machine
from fleets import World
from interleavings.workers import Workers
from local.spot import SpotState, SpotType

SILENT = timedelta(minutes=10)  # so long without a sign of life, and a worker may be given up
_LIVE = (SpotState.OPEN, SpotState.ACTIVE, SpotState.DISABLED)
_RUNS = ("pending", "running")


class Broken(AssertionError):
    """An invariant does not hold."""


@dataclass
class Witness:
    """Sees every mutating call before its effect. `by_hand` are instances that people launched;
    `replaced` = how many doomed ones were replaced by reconcile, and by EC2, of itself, too.
    """

    world: World
    workers: Workers
    job: str
    most: int = 0
    wished: int = 0
    replaced: int = 0
    by_hand: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def __call__(self, operation: str, given: dict[str, Any]) -> None:
        if operation == "terminate_instances":
            for id_ in given["InstanceIds"]:
                self._terminated(id_)
        named = [*given.get("InstanceIds", []), *given.get("Resources", [])]
        if not operation.startswith("describe"):
            self._only_own(operation, [*named, *given.get("SpotInstanceRequestIds", [])])

    def own(self) -> list[Machine]:
        """The job's machines, by EC2's own knowledge."""
        return [each for each in self.world.ec2.machines.values() if self._is_own(each.id)]

    def look(self) -> None:
        """Check what must hold at every moment."""
        self._count()
        if self.broken:
            raise Broken("; ".join(self.broken))

    def costs(self) -> list[str]:
        """What of the job costs money now, or may yet."""
        ec2 = self.world.ec2
        requests = [
            f"{each.id} {each.state}"
            for each in ec2.requests.values()
            if self._is_own(each.id) and each.state in _LIVE and self._may_launch(each.id)
        ]
        machines = [f"{each.id} {each.state}" for each in self.own() if each.costs]
        return [*machines, *requests]

    def _may_launch(self, request: str) -> bool:
        found = self.world.ec2.requests[request]
        return found.type is SpotType.PERSISTENT or found.state is SpotState.OPEN

    def _count(self) -> None:
        bought = [
            each for each in self.own() if each.state in _RUNS and each.id not in self.by_hand
        ]
        if len(bought) > self.most:
            self.broken.append(f"{len(bought)} machines run, maxInstances is {self.most}")
        healthy = [each for each in bought if not self._is_doomed(each)]
        needed = math.ceil(self.workers.queue.most_said / self.workers.slots)
        if len(healthy) > needed + self.wished + self.replaced:
            self.broken.append(
                f"{len(healthy)} machines run, {needed} were needed and {self.wished} wished for"
            )

    def _is_doomed(self, machine: Machine) -> bool:
        """Given up by EC2 or for good reason by reconcile: it may have been replaced already."""
        taken = machine.reclaimed_at is not None
        return taken or machine.misgiven or self._is_silent(machine)

    def _is_silent(self, machine: Machine) -> bool:
        seen = self.workers.last_sign(machine.id) or machine.launched
        worker = self.workers.at_work.get(machine.id)
        return self.world.ec2.now - seen >= SILENT or (worker is not None and worker.ended)

    def _terminated(self, id_: str) -> None:
        machine = self.world.ec2.machines.get(id_)
        if machine is None or not self._is_own(id_):
            return  # `_only_own` says so
        request = self.world.ec2.requests.get(machine.request)
        if request and request.type is SpotType.PERSISTENT and request.state in _LIVE:
            self.broken.append(f"{id_} was terminated before {request.id} was cancelled")
        if TAG_PROTECT in machine.tags:
            self.broken.append(f"{id_} was terminated though it is protected")
        if self.workers.busy(id_) and not (self._ending() or self._is_doomed(machine)):
            self.broken.append(f"{id_} was terminated while it was busy")

    def _ending(self) -> bool:
        try:
            job = self.world.registry.job(self.job)
        except NotFound:
            return True
        return job.stopped or job.deleting

    def _only_own(self, operation: str, ids: list[str]) -> None:
        foreign = [id_ for id_ in ids if not self._is_own(id_)]
        if foreign:
            self.broken.append(f"{operation} named {foreign}, which are not the job's")

    def _is_own(self, id_: str) -> bool:
        ec2 = self.world.ec2
        if spec := ec2.specs.get(id_):
            return self._is_tagged(spec.tags) or any(
                each.request == id_ and self._is_tagged(each.tags) for each in ec2.machines.values()
            )
        machine = ec2.machines.get(id_)
        if machine is None:
            return False
        return self._is_tagged(machine.tags) or (
            machine.request in ec2.specs and self._is_tagged(ec2.specs[machine.request].tags)
        )

    def _is_tagged(self, tags: dict[str, str]) -> bool:
        return (tags.get(TAG_STACK), tags.get(TAG_JOB)) == (self.world.settings.stack, self.job)
