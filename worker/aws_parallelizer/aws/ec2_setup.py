"""What a launch needs first: image, subnets, security groups, types, launch template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from aws_parallelizer.aws.ec2 import as_tags
from aws_parallelizer.core.errors import NotFound

_ROOT_DEVICE = "/dev/xvda"


class Subnet(NamedTuple):
    """One subnet and where it lies."""

    id: str
    vpc: str
    zone: str = ""
    free_addresses: int = 0
    public: bool = False  # whether instances get a public address


class TemplateVersion(NamedTuple):
    """One version of a launch template."""

    id: str
    version: str


class Ec2Setup:
    """The gateway. NotFound where a name has nothing behind it, else what botocore raises."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def root_device(self, image: str) -> str:
        """The name of an image's root device; Amazon Linux's for one that cannot be seen, which
        EC2 then refuses to launch.
        """
        try:
            images = describe(self._client, "describe_images", ImageIds=[image])["Images"]
        except NotFound:
            return _ROOT_DEVICE
        return str(images[0].get("RootDeviceName", _ROOT_DEVICE)) if images else _ROOT_DEVICE

    def subnets(self, ids: Sequence[str]) -> list[Subnet]:
        """The subnets of the ids, or the default VPC's for none; raises NotFound."""
        default = {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
        answer = describe(
            self._client, "describe_subnets", **({"SubnetIds": list(ids)} if ids else default)
        )
        found = [_subnet(entry) for entry in answer["Subnets"]]
        if not found and ids:
            raise NotFound(f"there is none of the subnets {', '.join(ids)}: set subnets")
        if not found:
            raise NotFound("there is no default VPC: set subnets")
        return sorted(found)

    def security_groups(self, wanted: Sequence[str], *, vpc: str) -> list[str]:
        """The ids of security groups given by id or by name in the VPC; raises NotFound."""
        return [
            group if group.startswith("sg-") else self._group_by_name(group, vpc)
            for group in wanted
        ]

    def vcpus(self, types: Sequence[str]) -> dict[str, int]:
        """The virtual CPUs of instance types; raises NotFound."""
        answer = describe(self._client, "describe_instance_types", InstanceTypes=list(types))
        return {
            entry["InstanceType"]: int(entry["VCpuInfo"]["DefaultVCpus"])
            for entry in answer["InstanceTypes"]
        }

    def template(
        self, name: str, *, data: Mapping[str, Any], fingerprint: str, tags: Mapping[str, str]
    ) -> TemplateVersion:
        """The template's version that holds `data`: the latest if its `fingerprint` is the same,
        else a new one.
        """
        latest = self._latest(name)
        if latest is None:
            return self._make(name, data=data, fingerprint=fingerprint, tags=tags)
        if latest.get("VersionDescription") == fingerprint:
            return _version(latest)
        answer = self._client.create_launch_template_version(
            LaunchTemplateName=name, VersionDescription=fingerprint, LaunchTemplateData=data
        )
        return _version(answer["LaunchTemplateVersion"])

    def remove_template(self, name: str) -> None:
        """Delete the launch template; harmless where there is none."""
        if self._latest(name) is not None:
            self._client.delete_launch_template(LaunchTemplateName=name)

    def template_names(self, tags: Mapping[str, str]) -> list[str]:
        """The names of the launch templates that bear all of the tags."""
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        pages = self._client.get_paginator("describe_launch_templates").paginate(Filters=filters)
        return [entry["LaunchTemplateName"] for page in pages for entry in page["LaunchTemplates"]]

    def _make(
        self, name: str, *, data: Mapping[str, Any], fingerprint: str, tags: Mapping[str, str]
    ) -> TemplateVersion:
        answer = self._client.create_launch_template(
            LaunchTemplateName=name,
            VersionDescription=fingerprint,
            LaunchTemplateData=data,
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": as_tags(tags)}],
        )["LaunchTemplate"]
        return TemplateVersion(answer["LaunchTemplateId"], str(answer["LatestVersionNumber"]))

    def _latest(self, name: str) -> Mapping[str, Any] | None:
        try:
            answer = self._client.describe_launch_template_versions(
                LaunchTemplateName=name, Versions=["$Latest"]
            )
        except ClientError as error:
            if not _code(error).startswith("InvalidLaunchTemplateName.NotFound"):
                raise
            return None  # the job has launched nothing yet
        versions: list[Mapping[str, Any]] = answer["LaunchTemplateVersions"]
        return versions[0] if versions else None

    def _group_by_name(self, name: str, vpc: str) -> str:
        filters = [
            {"Name": "group-name", "Values": [name]},
            {"Name": "vpc-id", "Values": [vpc]},
        ]
        groups = self._client.describe_security_groups(Filters=filters)["SecurityGroups"]
        if not groups:
            raise NotFound(f"there is no security group {name} in {vpc}")
        return str(groups[0]["GroupId"])


def describe(client: Any, operation: str, **arguments: Any) -> dict[str, Any]:
    """A call of the client; raises NotFound with EC2's words for what is not there or no name."""
    try:
        answer: dict[str, Any] = getattr(client, operation)(**arguments)
    except ClientError as error:
        if not _code(error).startswith("Invalid"):
            raise
        raise NotFound(error.response["Error"]["Message"]) from error
    return answer


def _subnet(entry: Mapping[str, Any]) -> Subnet:
    return Subnet(
        id=entry["SubnetId"],
        vpc=entry["VpcId"],
        zone=entry.get("AvailabilityZone", ""),
        free_addresses=int(entry.get("AvailableIpAddressCount", 0)),
        public=bool(entry.get("MapPublicIpOnLaunch")),
    )


def _version(entry: Mapping[str, Any]) -> TemplateVersion:
    return TemplateVersion(entry["LaunchTemplateId"], str(entry["VersionNumber"]))


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
