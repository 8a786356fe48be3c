"""EC2 in memory, as boto3's client shows it, with a clock that the test moves.

What it does as EC2 does, and no emulator: a launch is shown only after a while; a client token
makes no second launch, and with other arguments an error; a persistent request whose instance has
ended launches another one, without tags, until it is cancelled. A test makes calls fail, lose their
answer or never happen. Each call is kept in `calls`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from local import spot
from local.spot import Cause, SpotRequest, SpotState, SpotType

RELAUNCH = timedelta(seconds=30)


class Crash(BaseException):
    """The function is killed here: nothing catches it."""


@dataclass
class Machine:
    """One instance."""

    id: str
    launched: datetime
    shown: datetime
    tags: dict[str, str]
    state: str = "running"
    request: str = ""
    type: str = "c7i.large"


@dataclass
class FakeEc2:
    """The account. `shows_after` = how long DescribeInstances lags a launch."""

    now: datetime
    shows_after: timedelta = timedelta(0)
    machines: dict[str, Machine] = field(default_factory=dict)
    requests: dict[str, SpotRequest] = field(default_factory=dict)
    request_tags: dict[str, dict[str, str]] = field(default_factory=dict)
    templates: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    lost_answers: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    capacity: int = 10_000
    protected: set[str] = field(default_factory=set)
    tokens: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    image: str = "ami-1"
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # What a test does to it.

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for request in list(self.requests.values()):
            if request.state is SpotState.OPEN and request.due and request.due <= self.now:
                machine = self._machine({}, request=request.id)
                self._set(spot.fulfilled(request, instance=machine.id, at=self.now))

    def end(self, id_: str, *, cause: Cause = Cause.RECLAIMED) -> None:
        """The instance ends without a call of ours."""
        machine = self.machines[id_]
        machine.state = "terminated"
        if request := self.requests.get(machine.request):
            ended = spot.instance_ended(request, cause=cause, at=self.now, delay=RELAUNCH)
            self._set(ended)

    def stranger(self, **tags: str) -> str:
        """An instance that somebody else runs."""
        return self._machine(tags).id

    def made(self, *operations: str) -> list[dict[str, Any]]:
        """The arguments of the calls of these operations."""
        return [arguments for operation, arguments in self.calls if operation in operations]

    @property
    def running(self) -> list[str]:
        return [each.id for each in self.machines.values() if each.state == "running"]

    @property
    def changed(self) -> set[str]:
        """Every id that a cancel, a terminate or a tag named."""
        names = ("SpotInstanceRequestIds", "InstanceIds", "Resources")
        mutating = self.made("cancel_spot_instance_requests", "terminate_instances", "create_tags")
        return {id_ for arguments in mutating for name in names for id_ in arguments.get(name, [])}

    # What the client offers.

    def create_fleet(self, **arguments: Any) -> dict[str, Any]:
        count = arguments["TargetCapacitySpecification"]["TotalTargetCapacity"]
        ids = self._launch("create_fleet", arguments, count=count, type_=SpotType.ONE_TIME)
        overrides = arguments["LaunchTemplateConfigs"][0]["Overrides"]
        error = {"ErrorCode": "InsufficientInstanceCapacity", "ErrorMessage": "none"}
        errors = [
            {"LaunchTemplateAndOverrides": {"Overrides": override}, **error}
            for override in overrides
        ]
        return self._answer(
            "create_fleet",
            {"Instances": [{"InstanceIds": ids}], "Errors": errors if len(ids) < count else []},
        )

    def run_instances(self, **arguments: Any) -> dict[str, Any]:
        options = arguments["InstanceMarketOptions"]["SpotOptions"]
        kind = SpotType(options["SpotInstanceType"])
        ids = self._launch("run_instances", arguments, count=arguments["MaxCount"], type_=kind)
        if not ids:
            raise error("InsufficientInstanceCapacity", "run_instances", status=500)
        return self._answer("run_instances", {"Instances": [{"InstanceId": id_} for id_ in ids]})

    def cancel_spot_instance_requests(self, *, SpotInstanceRequestIds: list[str]) -> object:  # noqa: N803
        self._call("cancel_spot_instance_requests", SpotInstanceRequestIds=SpotInstanceRequestIds)
        for id_ in SpotInstanceRequestIds:
            request = self.requests[id_]
            if spot.cancel_terminates(request) and request.instance:
                self.machines[request.instance].state = "terminated"
            self._set(spot.cancelled(request, at=self.now))
        return {}

    def terminate_instances(self, *, InstanceIds: list[str]) -> object:  # noqa: N803
        self._call("terminate_instances", InstanceIds=InstanceIds)
        if self.protected.intersection(InstanceIds):
            raise error("OperationNotPermitted", "terminate_instances")
        for id_ in InstanceIds:
            self.end(id_, cause=Cause.BY_USER)
        return {}

    def create_tags(self, *, Resources: list[str], Tags: list[dict[str, str]]) -> object:  # noqa: N803
        self._call("create_tags", Resources=Resources)
        for id_ in Resources:
            self.machines[id_].tags.update(_mapping(Tags))
        return {}

    def get_paginator(self, operation: str) -> Paginator:
        return Paginator(self, operation)

    def describe(self, operation: str, filters: Mapping[str, list[str]]) -> dict[str, Any]:
        self._call(operation, filters=filters)
        if operation == "describe_instances":
            shown = [each for each in self.machines.values() if each.shown <= self.now]
            entries = [_instance_entry(each) for each in shown]
            return {"Reservations": [{"Instances": _matching(entries, filters)}]}
        tagged = [(each, self.request_tags[each.id]) for each in self.requests.values()]
        entries = [_request_entry(each, tags) for each, tags in tagged]
        return {"SpotInstanceRequests": _matching(entries, filters)}

    def describe_images(self, *, ImageIds: list[str]) -> dict[str, Any]:  # noqa: N803
        if ImageIds != [self.image]:
            raise error("InvalidAMIID.NotFound", "describe_images")
        return {"Images": [{"ImageId": self.image, "RootDeviceName": "/dev/sda1"}]}

    def describe_subnets(self, **_: Any) -> dict[str, Any]:
        zones = ("a", "b")
        return {"Subnets": [{"SubnetId": f"subnet-{z}", "VpcId": "vpc-1"} for z in zones]}

    def describe_security_groups(self, **_: Any) -> dict[str, Any]:
        return {"SecurityGroups": [{"GroupId": "sg-1"}]}

    def describe_instance_types(self, *, InstanceTypes: list[str]) -> dict[str, Any]:  # noqa: N803
        vcpus = {"c7i.large": 2, "c7i.4xlarge": 16}
        if not vcpus.keys() >= set(InstanceTypes):
            raise error("InvalidInstanceType", "describe_instance_types")
        return {
            "InstanceTypes": [
                {"InstanceType": name, "VCpuInfo": {"DefaultVCpus": vcpus[name]}}
                for name in InstanceTypes
            ]
        }

    def describe_launch_template_versions(self, **arguments: Any) -> dict[str, Any]:
        name = arguments["LaunchTemplateName"]
        if name not in self.templates:
            raise error("InvalidLaunchTemplateName.NotFoundException", "describe")
        return {"LaunchTemplateVersions": [self._version(name)]}

    def create_launch_template(self, **arguments: Any) -> dict[str, Any]:
        name = arguments["LaunchTemplateName"]
        self.templates[name] = []
        self.create_launch_template_version(**arguments)
        return {"LaunchTemplate": {"LaunchTemplateId": f"lt-{name}", "LatestVersionNumber": 1}}

    def create_launch_template_version(self, **arguments: Any) -> dict[str, Any]:
        name, data = arguments["LaunchTemplateName"], arguments["LaunchTemplateData"]
        self.templates[name].append((arguments["VersionDescription"], data))
        return {"LaunchTemplateVersion": self._version(name)}

    def delete_launch_template(self, *, LaunchTemplateName: str) -> object:  # noqa: N803
        del self.templates[LaunchTemplateName]
        return {}

    # How it does it.

    def _call(self, operation: str, **arguments: Any) -> None:
        if operation in self.crashes:
            self.crashes.remove(operation)
            raise Crash(operation)
        self.calls.append((operation, arguments))
        if operation in self.refusals:
            status, code = self.refusals[operation]
            raise error(code, operation, status=status)

    def _answer(self, operation: str, answer: dict[str, Any]) -> dict[str, Any]:
        if operation in self.lost_answers:
            self.lost_answers.remove(operation)
            raise ReadTimeoutError(endpoint_url="https://ec2.us-east-1.amazonaws.com")
        return answer

    def _launch(
        self, operation: str, arguments: dict[str, Any], *, count: int, type_: SpotType
    ) -> list[str]:
        self._call(operation, **arguments)
        if any(versions[-1][1]["ImageId"] != self.image for versions in self.templates.values()):
            raise error("InvalidAMIID.NotFound", operation)
        token = arguments["ClientToken"]
        said, ids = self.tokens.get(token, (repr(arguments), None))
        if said != repr(arguments):
            raise error("IdempotentParameterMismatch", operation)
        if ids is None:
            tags = {
                each["ResourceType"]: _mapping(each["Tags"])
                for each in arguments["TagSpecifications"]
            }
            ids = [self._spot(tags, type_) for _ in range(min(count, self.capacity))]
            self.capacity -= len(ids)
            self.tokens[token] = (said, ids)
        return ids

    def _spot(self, tags: dict[str, dict[str, str]], type_: SpotType) -> str:
        request = SpotRequest(
            id=f"sir-{next(self._numbers)}",
            type=type_,
            price="1",
            created=self.now,
            updated=self.now,
        )
        machine = self._machine(tags["instance"], request=request.id)
        self.request_tags[request.id] = tags.get("spot-instances-request", {})
        self._set(spot.fulfilled(request, instance=machine.id, at=self.now))
        return machine.id

    def _machine(self, tags: dict[str, str], *, request: str = "") -> Machine:
        machine = Machine(
            id=f"i-{next(self._numbers)}",
            launched=self.now,
            shown=self.now + self.shows_after,
            tags=dict(tags),
            request=request,
        )
        self.machines[machine.id] = machine
        return machine

    def _set(self, request: SpotRequest) -> None:
        self.requests[request.id] = replace(request)

    def _version(self, name: str) -> dict[str, Any]:
        versions = self.templates[name]
        return {
            "LaunchTemplateId": f"lt-{name}",
            "VersionNumber": len(versions),
            "VersionDescription": versions[-1][0],
        }


@dataclass
class Paginator:
    """boto3's paginator, with a page that is always the last."""

    ec2: FakeEc2
    operation: str

    def paginate(
        self,
        *,
        Filters: list[dict[str, Any]],  # noqa: N803
        PaginationConfig: object,  # noqa: N803
    ) -> list[dict[str, Any]]:
        filters = {each["Name"]: each["Values"] for each in Filters}
        return [self.ec2.describe(self.operation, filters)]


def error(code: str, operation: str, *, status: int = 400) -> ClientError:
    """EC2's answer to a call that it refuses."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": f"{code} it is"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },
        operation,
    )


def _mapping(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _instance_entry(machine: Machine) -> dict[str, Any]:
    return {
        "InstanceId": machine.id,
        "InstanceType": machine.type,
        "Placement": {"AvailabilityZone": "us-east-1a"},
        "State": {"Name": machine.state},
        "LaunchTime": machine.launched,
        "SpotInstanceRequestId": machine.request,
        "InstanceLifecycle": "spot",
        "Tags": [{"Key": key, "Value": value} for key, value in machine.tags.items()],
    }


def _request_entry(request: SpotRequest, tags: Mapping[str, str]) -> dict[str, Any]:
    return {
        "SpotInstanceRequestId": request.id,
        "Type": request.type.value,
        "State": request.state.value,
        "Status": {"Code": request.code},
        "InstanceId": request.instance,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def _matching(
    entries: list[dict[str, Any]], filters: Mapping[str, list[str]]
) -> list[dict[str, Any]]:
    return [each for each in entries if all(_value(each, n) in v for n, v in filters.items())]


def _value(entry: dict[str, Any], name: str) -> str | None:
    if name == "spot-instance-request-id":
        return str(entry["SpotInstanceRequestId"])
    if name.startswith("tag:"):
        return _mapping(entry["Tags"]).get(name.removeprefix("tag:"))
    message = f"the fake knows no filter {name}"
    raise AssertionError(message)
