"""EC2 in memory, as boto3's client shows it, with a clock that the test moves.

What it does as EC2 does, and no emulator: a launch is shown only after a while; a client token
makes no second launch, and with other arguments an error; a persistent request whose instance has
ended launches another one, without tags, until it is cancelled; pools run out of capacity. Each
call goes through `faults`, is kept in `calls`, and is shown to the `witness` before its effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fakes.ec2.changing import Changing, vcpus
from fakes.ec2.describing import Paginator
from fakes.ec2.machine import ZONES, Entry, mapping
from fakes.faults import refused

_MUTATING = (
    "cancel_spot_instance_requests",
    "terminate_instances",
    "start_instances",
    "stop_instances",
    "create_tags",
)


@dataclass
class FakeEc2(Changing):
    """The account and its client in one."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    witness: Callable[[str, dict[str, Any]], None] | None = None

    # What a test asks and plans.

    def made(self, *operations: str) -> list[dict[str, Any]]:
        """The arguments of the calls of these operations."""
        return [arguments for operation, arguments in self.calls if operation in operations]

    @property
    def changed(self) -> set[str]:
        """Every id that a mutating call named."""
        names = ("SpotInstanceRequestIds", "InstanceIds", "Resources")
        return {
            id_
            for arguments in self.made(*_MUTATING)
            for name in names
            for id_ in arguments.get(name, [])
        }

    @property
    def refusals(self) -> dict[str, tuple[int, str]]:
        return self.faults.refusals

    @property
    def lost_answers(self) -> list[str]:
        return self.faults.lost_answers

    @lost_answers.setter
    def lost_answers(self, operations: list[str]) -> None:
        self.faults.lost_answers = operations

    @property
    def crashes(self) -> list[str]:
        return self.faults.crashes

    @crashes.setter
    def crashes(self, operations: list[str]) -> None:
        self.faults.crashes = operations

    # What the client offers.

    def create_fleet(self, **arguments: Any) -> Entry:
        return self._call("create_fleet", arguments, lambda: self._once("create_fleet", arguments))

    def run_instances(self, **arguments: Any) -> Entry:
        return self._call(
            "run_instances", arguments, lambda: self._once("run_instances", arguments)
        )

    def cancel_spot_instance_requests(self, **named: Any) -> Entry:
        ids = named["SpotInstanceRequestIds"]
        return self._change("cancel_spot_instance_requests", named, lambda: self._cancel(ids))

    def terminate_instances(self, **named: Any) -> Entry:
        ids = named["InstanceIds"]
        return self._change("terminate_instances", named, lambda: self._terminate(ids))

    def start_instances(self, **named: Any) -> Entry:
        ids = named["InstanceIds"]
        return self._change("start_instances", named, lambda: self._start_all(ids))

    def stop_instances(self, **named: Any) -> Entry:
        ids = named["InstanceIds"]
        return self._change("stop_instances", named, lambda: self._stop_all(ids))

    def create_tags(self, **named: Any) -> Entry:
        ids, tags = named["Resources"], mapping(named["Tags"])
        return self._change("create_tags", named, lambda: self._tag(ids, tags))

    def get_paginator(self, operation: str) -> Paginator:
        return Paginator(self, operation)

    def describe_instances(self, **given: Any) -> Entry:
        return self._call("describe_instances", given, lambda: self._instances(given))

    def describe_spot_instance_requests(self, **given: Any) -> Entry:
        return self._call(
            "describe_spot_instance_requests", given, lambda: self._spot_requests(given)
        )

    def describe_spot_price_history(self, **given: Any) -> Entry:
        return self._call("describe_spot_price_history", given, lambda: self._spot_prices(given))

    def describe_images(self, **given: Any) -> Entry:
        def images() -> Entry:
            if given["ImageIds"] != [self.image]:
                raise refused("InvalidAMIID.NotFound", "describe_images")
            return {"Images": [{"ImageId": self.image, "RootDeviceName": "/dev/sda1"}]}

        return self._call("describe_images", given, images)

    def describe_subnets(self, **given: Any) -> Entry:
        subnets = [
            {"SubnetId": subnet, "VpcId": "vpc-1", "AvailabilityZone": zone}
            for subnet, zone in ZONES.items()
        ]
        return self._call("describe_subnets", given, lambda: {"Subnets": subnets})

    def describe_security_groups(self, **given: Any) -> Entry:
        answer = {"SecurityGroups": [{"GroupId": "sg-1"}]}
        return self._call("describe_security_groups", given, lambda: answer)

    def describe_instance_types(self, **given: Any) -> Entry:
        types = given["InstanceTypes"]
        return self._call("describe_instance_types", given, lambda: {"InstanceTypes": vcpus(types)})

    def describe_launch_template_versions(self, **given: Any) -> Entry:
        name = given["LaunchTemplateName"]
        return self._call(
            "describe_launch_template_versions",
            given,
            lambda: {"LaunchTemplateVersions": [self._version(name)]},
        )

    def create_launch_template(self, **given: Any) -> Entry:
        def create() -> Entry:
            if name in self.templates:
                raise refused("InvalidLaunchTemplateName.AlreadyExistsException", "create")
            self._add_version(given)
            return {"LaunchTemplate": {"LaunchTemplateId": f"lt-{name}", "LatestVersionNumber": 1}}

        name = given["LaunchTemplateName"]
        return self._call("create_launch_template", given, create)

    def create_launch_template_version(self, **given: Any) -> Entry:
        return self._call(
            "create_launch_template_version",
            given,
            lambda: {"LaunchTemplateVersion": self._add_version(given)},
        )

    def delete_launch_template(self, **given: Any) -> Entry:
        name = given["LaunchTemplateName"]
        return self._change("delete_launch_template", given, lambda: self.templates.pop(name))

    # How it does it.

    def _call(self, operation: str, given: Entry, effect: Callable[[], Entry]) -> Entry:
        def arrived() -> None:
            self.calls.append((operation, given))
            if self.witness:
                self.witness(operation, given)

        return self.faults.call(operation, effect, arrived=arrived)

    def _change(self, operation: str, given: Entry, effect: Callable[[], object]) -> Entry:
        def changed() -> Entry:
            effect()
            return {}

        return self._call(operation, given, changed)

    def _add_version(self, given: Entry) -> Entry:
        name = given["LaunchTemplateName"]
        made = given["VersionDescription"], given["LaunchTemplateData"]
        self.templates.setdefault(name, []).append(made)
        return self._version(name)

    def _version(self, name: str) -> Entry:
        if name not in self.templates:
            raise refused("InvalidLaunchTemplateName.NotFoundException", "describe")
        versions = self.templates[name]
        return {
            "LaunchTemplateId": f"lt-{name}",
            "VersionNumber": len(versions),
            "VersionDescription": versions[-1][0],
        }
