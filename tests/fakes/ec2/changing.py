"""Cancel, terminate, start, stop and tag: what EC2 does, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fakes.ec2.describing import Describing
from fakes.ec2.machine import GONE, Machine, Tags
from fakes.ec2.market import ICE, VCPUS
from fakes.faults import refused
from local import spot
from local.spot import Cause, Refusal, SpotRequest, SpotState


@dataclass
class Changing(Describing):
    """Of one call all ids are checked before anything is done."""

    def _cancel(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            if id_ not in self.requests or not self._is_known(self.requests[id_]):
                raise refused("InvalidSpotInstanceRequestID.NotFound", "cancel")
        for id_ in ids:
            request = self.requests[id_]
            self._set(spot.cancelled(request, at=self.now))
            if spot.cancel_terminates(request) and request.instance:
                self.end(request.instance, cause=Cause.BY_USER)

    def _terminate(self, ids: Sequence[str]) -> None:
        machines = self._known(ids, "terminate_instances")
        # A protected instance keeps those in its own zone that the call names, and no others.
        kept = {each.subnet for each in machines if each.id in self.protected}
        for machine in machines:
            if machine.subnet not in kept:
                self.end(machine.id, cause=Cause.BY_USER)
        if kept:
            raise refused("OperationNotPermitted", "terminate_instances")

    def _stop_all(self, ids: Sequence[str]) -> None:
        for machine in self._known(ids, "stop_instances"):
            if machine.state in GONE:
                raise refused("IncorrectInstanceState", "stop_instances")
            self._check(machine, spot.refusal_to_stop, "stop_instances")
        for id_ in ids:
            self.stop(id_)

    def _start_all(self, ids: Sequence[str]) -> None:
        machines = [
            each
            for each in self._known(ids, "start_instances")
            if each.state not in ("pending", "running")
        ]
        for machine in machines:
            if machine.state != "stopped":
                raise refused("IncorrectInstanceState", "start_instances")
            self._check(machine, _refusal_to_start, "start_instances")
        for machine in machines:
            if machine.spot and not self.market.has(machine.pool):
                raise refused(ICE, "start_instances", status=500)
            self._start(machine)

    def _tag(self, ids: Sequence[str], tags: Tags) -> None:
        found = [self._tags(id_) for id_ in ids]
        for present in found:
            present.update(tags)

    def _tags(self, id_: str) -> Tags:
        if id_ in self.specs:
            return self.specs[id_].tags
        [machine] = self._known([id_], "create_tags")
        return machine.tags

    def _known(self, ids: Sequence[str], operation: str) -> list[Machine]:
        for id_ in ids:
            if id_ not in self.machines or not self._is_shown(self.machines[id_]):
                raise refused("InvalidInstanceID.NotFound", operation)
        return [self.machines[id_] for id_ in ids]

    def _check(
        self, machine: Machine, rule: Callable[[SpotRequest], Refusal | None], operation: str
    ) -> None:
        request = self._request_of(machine)
        refusal = rule(request) if request else None
        if refusal:
            raise refused(refusal.code, operation)


def _refusal_to_start(request: SpotRequest) -> Refusal | None:
    """A stopped instance starts when its request has been disabled, which comes a little later."""
    if request.state is SpotState.ACTIVE:
        return Refusal("IncorrectSpotRequestState", "the request is not disabled yet")
    return spot.refusal_to_start(request)


def vcpus(types: Sequence[str]) -> list[dict[str, object]]:
    """What DescribeInstanceTypes says of them."""
    if not VCPUS.keys() >= set(types):
        raise refused("InvalidInstanceType", "describe_instance_types")
    return [{"InstanceType": name, "VCpuInfo": {"DefaultVCpus": VCPUS[name]}} for name in types]
