"""EC2 as it is found before anything is launched: only looked at, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from aws_parallelizer.aws.ec2_setup import describe
from aws_parallelizer.core.errors import NotFound


class Image(NamedTuple):
    """A machine image in EC2's words, empty where it does not tell; `imds` is its ImdsSupport."""

    id: str
    state: str
    architecture: str
    root_type: str
    root_device: str
    imds: str = ""


class Kind(NamedTuple):
    """An instance type; `markets` are EC2's usage classes, such as spot."""

    name: str
    vcpus: int
    architectures: tuple[str, ...]
    markets: tuple[str, ...]


class Egress(NamedTuple):
    """What a security group lets out. `protocol` -1 = all; ports from `low` to `high`, -1 = all.
    `to` are CIDR blocks, prefix lists and groups.
    """

    protocol: str
    low: int
    high: int
    to: tuple[str, ...]


class Group(NamedTuple):
    """A security group."""

    id: str
    vpc: str
    egress: tuple[Egress, ...]


class RouteTable(NamedTuple):
    """A route table: the subnets that name it, or all others if it is `main`; where it sends what
    is for the internet, empty = nowhere.
    """

    id: str
    main: bool
    subnets: tuple[str, ...]
    internet: str


class Endpoint(NamedTuple):
    """A VPC endpoint. `service` is its last word, such as s3; a gateway's are in route `tables`."""

    service: str
    tables: tuple[str, ...]


class DryRun(NamedTuple):
    """What EC2 says to a launch that is none; `code` DryRunOperation = it would have launched."""

    code: str
    message: str


class Survey:
    """The gateway. NotFound where a name has nothing behind it, else what botocore raises."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def image(self, name: str) -> Image:
        """The image of an id; raises NotFound."""
        images = describe(self._client, "describe_images", ImageIds=[name])["Images"]
        if not images:
            raise NotFound(f"there is no image {name} that these credentials may see")
        entry = images[0]
        return Image(
            id=entry["ImageId"],
            state=entry.get("State", ""),
            architecture=entry.get("Architecture", ""),
            root_type=entry.get("RootDeviceType", ""),
            root_device=entry.get("RootDeviceName", ""),
            imds=entry.get("ImdsSupport", ""),
        )

    def kinds(self, names: Sequence[str]) -> list[Kind]:
        """The instance types of those names; raises NotFound that tells which are none."""
        answer = describe(self._client, "describe_instance_types", InstanceTypes=list(names))
        return [
            Kind(
                name=entry["InstanceType"],
                vcpus=int(entry["VCpuInfo"]["DefaultVCpus"]),
                architectures=tuple(entry["ProcessorInfo"]["SupportedArchitectures"]),
                markets=tuple(entry.get("SupportedUsageClasses", ())),
            )
            for entry in answer["InstanceTypes"]
        ]

    def offered(self, names: Sequence[str]) -> set[tuple[str, str]]:
        """Every (instance type, zone) of those types that the region has."""
        pages = self._client.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": list(names)}],
        )
        return {
            (entry["InstanceType"], entry["Location"])
            for page in pages
            for entry in page["InstanceTypeOfferings"]
        }

    def groups(self, ids: Sequence[str]) -> list[Group]:
        """The security groups of those ids; raises NotFound."""
        answer = describe(self._client, "describe_security_groups", GroupIds=list(ids))
        return [
            Group(
                id=entry["GroupId"],
                vpc=entry.get("VpcId", ""),
                egress=tuple(_egress(rule) for rule in entry["IpPermissionsEgress"]),
            )
            for entry in answer["SecurityGroups"]
        ]

    def route_tables(self, vpc: str) -> list[RouteTable]:
        """The route tables of a VPC."""
        answer = self._client.describe_route_tables(Filters=_in(vpc))
        return [_route_table(entry) for entry in answer["RouteTables"]]

    def endpoints(self, vpc: str) -> list[Endpoint]:
        """The endpoints of a VPC that work."""
        answer = self._client.describe_vpc_endpoints(Filters=_in(vpc))
        return [
            Endpoint(
                service=str(entry["ServiceName"]).rpartition(".")[2],
                tables=tuple(entry.get("RouteTableIds", ())),
            )
            for entry in answer["VpcEndpoints"]
            if str(entry.get("State", "available")).lower() == "available"
        ]

    def require_key_pair(self, name: str) -> None:
        """Raises NotFound where there is no such key pair."""
        describe(self._client, "describe_key_pairs", KeyNames=[name])

    def launch_nothing(self, arguments: Mapping[str, Any]) -> DryRun:
        """RunInstances as a dry run, whatever the arguments say: EC2 answers it by an error."""
        try:
            answer = self._client.run_instances(**{**arguments, "DryRun": True})
        except ClientError as error:
            found = error.response["Error"]
            return DryRun(str(found["Code"]), str(found.get("Message", "")))
        # No AWS does that; an emulator may, and then what runs has to be named.
        started = ", ".join(entry["InstanceId"] for entry in answer["Instances"])
        return DryRun("Launched", started)


def _in(vpc: str) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [vpc]}]


def _egress(rule: Mapping[str, Any]) -> Egress:
    return Egress(
        protocol=rule["IpProtocol"],
        low=int(rule.get("FromPort", -1)),
        high=int(rule.get("ToPort", -1)),
        to=(
            *(entry["CidrIp"] for entry in rule.get("IpRanges", ())),
            *(entry["CidrIpv6"] for entry in rule.get("Ipv6Ranges", ())),
            *(entry["PrefixListId"] for entry in rule.get("PrefixListIds", ())),
            *(entry.get("GroupId", "") for entry in rule.get("UserIdGroupPairs", ())),
        ),
    )


def _route_table(entry: Mapping[str, Any]) -> RouteTable:
    associations: Iterable[Mapping[str, Any]] = entry.get("Associations", ())
    return RouteTable(
        id=entry["RouteTableId"],
        main=any(one.get("Main") for one in associations),
        subnets=tuple(one["SubnetId"] for one in associations if one.get("SubnetId")),
        internet=next(filter(None, map(_internet, entry.get("Routes", ()))), ""),
    )


def _internet(route: Mapping[str, Any]) -> str:
    """Where a default route leads, empty for any other route and for one whose end is gone."""
    if route.get("DestinationCidrBlock") != "0.0.0.0/0" or route.get("State") == "blackhole":
        return ""
    targets = ("GatewayId", "NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId")
    return next((str(route[name]) for name in targets if route.get(name)), "another gateway")
