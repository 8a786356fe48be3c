"""Instances as the fake keeps them, and how EC2 describes them and the spot requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.spot import MESSAGES, SpotRequest

Pool = tuple[str, str]  # instance type, subnet
Tags = dict[str, str]
Entry = dict[str, Any]

ZONES = {"subnet-a": "us-east-1a", "subnet-b": "us-east-1b"}
GONE = ("shutting-down", "terminated")


@dataclass
class Machine:
    """One instance. `until` is when its passing state ends, `reclaimed_at` when EC2 takes it;
    `misgiven`: it is on-demand, and spot was asked for.
    """

    id: str
    launched: datetime
    shown: datetime
    tags: Tags
    state: str = "running"
    request: str = ""
    type: str = "c7i.large"
    subnet: str = "subnet-a"
    spot: bool = True
    misgiven: bool = False
    until: datetime | None = None
    reclaimed_at: datetime | None = None
    ended: datetime | None = None

    @property
    def pool(self) -> Pool:
        return self.type, self.subnet

    @property
    def costs(self) -> bool:
        """Whether it is paid for: a stopped one for its volume."""
        return self.state not in GONE


@dataclass
class Spec:
    """What stands behind a spot request: its pool, its own tags, when it can be described."""

    pool: Pool
    tags: Tags
    shown: datetime


def describe_instance(machine: Machine) -> Entry:
    entry: Entry = {
        "InstanceId": machine.id,
        "InstanceType": machine.type,
        "SubnetId": machine.subnet,
        "Placement": {"AvailabilityZone": ZONES[machine.subnet]},
        "State": {"Name": machine.state},
        "LaunchTime": machine.launched,
        "Tags": _pairs(machine.tags),
    }
    if machine.spot:
        entry["InstanceLifecycle"] = "spot"
    if machine.request:
        entry["SpotInstanceRequestId"] = machine.request
    return entry


def describe_request(request: SpotRequest, spec: Spec) -> Entry:
    entry: Entry = {
        "SpotInstanceRequestId": request.id,
        "Type": request.type.value,
        "State": request.state.value,
        "Status": {
            "Code": request.code,
            "Message": MESSAGES.get(request.code, request.code),
            "UpdateTime": request.updated,
        },
        "CreateTime": request.created,
        "SpotPrice": request.price,
        "InstanceInterruptionBehavior": request.interruption,
        "Tags": _pairs(spec.tags),
    }
    if request.instance:
        entry["InstanceId"] = request.instance
    return entry


_FIELDS = {
    "instance-id": "InstanceId",
    "instance-type": "InstanceType",
    "instance-lifecycle": "InstanceLifecycle",
    "spot-instance-request-id": "SpotInstanceRequestId",
    "state": "State",
    "subnet-id": "SubnetId",
    "type": "Type",
}


def matches(entry: Entry, filters: Mapping[str, Sequence[str]]) -> bool:
    """Whether it has one of the values for every name."""
    return all(_value(entry, name) in values for name, values in filters.items())


def _value(entry: Entry, name: str) -> object:
    if name.startswith("tag:"):
        return mapping(entry["Tags"]).get(name.removeprefix("tag:"))
    if name == "instance-state-name":
        return entry["State"]["Name"]
    if name == "status-code":
        return entry["Status"]["Code"]
    if name not in _FIELDS:
        raise AssertionError(f"the fake knows no filter {name}")
    return entry.get(_FIELDS[name])


def mapping(tags: Sequence[Mapping[str, str]]) -> Tags:
    """Tags as EC2 takes them, as a dictionary."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def _pairs(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
