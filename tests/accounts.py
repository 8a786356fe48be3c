"""Plain calls to the fake EC2, as boto3 would make them, for the tests of the fake itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fakes.ec2 import FakeEc2

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
POOL = ("c7i.large", "subnet-a")
OTHER_POOL = ("c7i.large", "subnet-b")
MINE = {"owner": "me"}


def account(**options: Any) -> FakeEc2:
    """An account with a launch template."""
    ec2 = FakeEc2(now=T0, **options)
    ec2.create_launch_template(
        LaunchTemplateName="t", VersionDescription="1", LaunchTemplateData={"ImageId": "ami-1"}
    )
    return ec2


def fleet_arguments(*pools: tuple[str, str], count: int = 1, **options: Any) -> dict[str, Any]:
    """An instant fleet; `price` is the MaxPrice of each override, `target` spot or on-demand."""
    price = {"MaxPrice": options["price"]} if "price" in options else {}
    return {
        "ClientToken": options.get("token", ""),
        "Type": "instant",
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": count,
            "DefaultTargetCapacityType": options.get("target", "spot"),
        },
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": {"LaunchTemplateId": "lt-t", "Version": "1"},
                "Overrides": [
                    {"InstanceType": kind, "SubnetId": subnet, **price}
                    for kind, subnet in pools or (POOL,)
                ],
            }
        ],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": tags(MINE)}],
    }


def run_arguments(*, kind: str = "persistent", count: int = 1, **options: Any) -> dict[str, Any]:
    """RunInstances for spot instances that are terminated or, by `behavior`, stopped."""
    return {
        "ClientToken": options.get("token", ""),
        "MinCount": count,
        "MaxCount": count,
        "LaunchTemplate": {"LaunchTemplateId": "lt-t", "Version": "1"},
        "InstanceType": POOL[0],
        "SubnetId": POOL[1],
        "InstanceMarketOptions": {
            "MarketType": "spot",
            "SpotOptions": {
                "SpotInstanceType": kind,
                "InstanceInterruptionBehavior": options.get("behavior", "terminate"),
            },
        },
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": tags(MINE)}
            for kind in ("instance", "spot-instances-request")
        ],
    }


def persistent(ec2: FakeEc2, *, behavior: str = "terminate") -> tuple[str, str]:
    """(instance, request) of a persistent launch."""
    answer = ec2.run_instances(**run_arguments(behavior=behavior))
    id_ = answer["Instances"][0]["InstanceId"]
    return id_, ec2.machines[id_].request


def launched(answer: dict[str, Any]) -> list[str]:
    """The ids of a fleet's instances."""
    return [id_ for entry in answer["Instances"] for id_ in entry["InstanceIds"]]


def tags(given: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def code_of(call: Any, **arguments: Any) -> str:
    """The code with which the call is refused."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return str(error.value.response["Error"]["Code"])


def described(ec2: FakeEc2, **given: Any) -> list[dict[str, Any]]:
    """What DescribeInstances shows, over all pages."""
    pages = ec2.get_paginator("describe_instances").paginate(**given)
    return [
        entry
        for page in pages
        for reservation in page["Reservations"]
        for entry in reservation["Instances"]
    ]


def request_of(ec2: FakeEc2, id_: str) -> dict[str, Any]:
    """What DescribeSpotInstanceRequests shows of one request."""
    answer = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[id_])
    [entry] = answer["SpotInstanceRequests"]
    return dict(entry)


def state_of(ec2: FakeEc2, id_: str) -> tuple[str, str]:
    """(state, status code) of a spot request."""
    entry = request_of(ec2, id_)
    return entry["State"], entry["Status"]["Code"]
