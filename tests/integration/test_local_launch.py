"""Launching on the local EC2: fleets, templates, client tokens, dry runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from integration.local_ec2 import MARK, Server, encoded, serving

PLAIN: list[dict[str, str]] = []
TEMPLATE = {
    "ImageId": "ami-template",
    "InstanceType": "m5.large",
    "UserData": encoded("from=template\ndo=sleep\n"),
    "InstanceInitiatedShutdownBehavior": "terminate",
    "TagSpecifications": [{"ResourceType": "instance", "Tags": MARK}],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("launch")) as running:
        yield running


@pytest.fixture
def template(server: Server, request: pytest.FixtureRequest) -> str:
    answer = server.ec2.create_launch_template(
        LaunchTemplateName=request.node.name, LaunchTemplateData=TEMPLATE
    )
    return str(answer["LaunchTemplate"]["LaunchTemplateId"])


def fleet(template: str, **more: Any) -> dict[str, Any]:
    configs = {
        "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "$Latest"},
        "Overrides": [{"InstanceType": "c5.xlarge", "MaxPrice": "0.07"}],
    }
    return {
        "Type": "instant",
        "LaunchTemplateConfigs": [configs],
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": 2,
            "DefaultTargetCapacityType": "spot",
        },
        **more,
    }


def test_a_fleet_makes_one_time_spot_requests_from_template_and_override(
    server: Server, template: str
) -> None:
    extra = [{"Key": "launch", "Value": "1"}]
    answer = server.ec2.create_fleet(
        **fleet(template, TagSpecifications=[{"ResourceType": "instance", "Tags": extra}])
    )
    assert answer["Errors"] == []
    [group] = answer["Instances"]
    assert (group["Lifecycle"], group["InstanceType"]) == ("spot", "c5.xlarge")
    assert len(group["InstanceIds"]) == 2
    for name in group["InstanceIds"]:
        instance = server.instance(name)
        tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        assert tags["parallelizer:job"] == "j"
        assert tags["launch"] == "1"
        assert tags["aws:ec2:fleet-id"] == answer["FleetId"]
        assert instance["ImageId"] == "ami-template"
        request = server.request(instance["SpotInstanceRequestId"])
        assert (request["Type"], request["State"]) == ("one-time", "active")
        assert request["SpotPrice"] == "0.070000"
        server.booted(name)
        assert server.path(name, "user-data").read_text() == "from=template\ndo=sleep\n"


def test_a_fleet_launches_on_demand_too(server: Server, template: str) -> None:
    capacity = {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "on-demand"}
    answer = server.ec2.create_fleet(**fleet(template, TargetCapacitySpecification=capacity))
    [group] = answer["Instances"]
    assert group["Lifecycle"] == "on-demand"
    assert "SpotInstanceRequestId" not in server.instance(group["InstanceIds"][0])


def test_a_pool_that_is_not_valid_is_an_error_of_the_fleet_and_the_next_is_used(
    server: Server, template: str
) -> None:
    call = fleet(template)
    call["LaunchTemplateConfigs"][0]["Overrides"] = [
        {"InstanceType": "c5.large", "SubnetId": "subnet-nowhere"},
        {"InstanceType": "m5.large"},
    ]
    answer = server.ec2.create_fleet(**call)
    assert [one["ErrorCode"] for one in answer["Errors"]] == ["InvalidSubnetID.NotFound"]
    assert [one["InstanceType"] for one in answer["Instances"]] == ["m5.large"]


def test_run_instances_takes_what_it_does_not_say_from_the_template(
    server: Server, template: str
) -> None:
    answer = server.ec2.run_instances(
        MinCount=1,
        MaxCount=3,
        LaunchTemplate={"LaunchTemplateId": template},
        UserData="from=call\n",
        InstanceMarketOptions={"MarketType": "spot"},
    )
    assert len(answer["Instances"]) == 3, "MaxCount, not MinCount"
    for instance in answer["Instances"]:
        assert instance["InstanceType"] == "m5.large"
        assert server.request(instance["SpotInstanceRequestId"])["Type"] == "one-time"
        server.booted(instance["InstanceId"])
        assert server.path(instance["InstanceId"], "user-data").read_text() == "from=call\n"
    assert len({one["SpotInstanceRequestId"] for one in answer["Instances"]}) == 3


def test_the_default_version_is_used_unless_one_is_named(server: Server, template: str) -> None:
    server.ec2.create_launch_template_version(
        LaunchTemplateId=template, LaunchTemplateData={**TEMPLATE, "InstanceType": "r5.large"}
    )
    kinds = {}
    for version in ("$Default", "$Latest", "1", "2"):
        answer = server.ec2.run_instances(
            MinCount=1,
            MaxCount=1,
            LaunchTemplate={"LaunchTemplateId": template, "Version": version},
        )
        kinds[version] = answer["Instances"][0]["InstanceType"]
    assert kinds == {
        "$Default": "m5.large",
        "$Latest": "r5.large",
        "1": "m5.large",
        "2": "r5.large",
    }


def launched(answer: dict[str, Any]) -> list[str]:
    names = [one.get("InstanceId") or one["InstanceIds"] for one in answer["Instances"]]
    return sorted(str(name) for name in names)


def test_the_same_token_never_launches_twice(server: Server, template: str) -> None:
    calls: list[Callable[[], dict[str, Any]]] = [
        lambda: server.ec2.run_instances(
            ImageId="ami-local", MinCount=1, MaxCount=1, ClientToken="run-once"
        ),
        lambda: server.ec2.create_fleet(**fleet(template, ClientToken="fleet-once")),
    ]
    for call in calls:
        first = call()
        before = everything(server)
        assert launched(call()) == launched(first)
        assert everything(server) == before


def test_a_token_with_other_parameters_is_a_mismatch(server: Server, template: str) -> None:
    server.ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, ClientToken="mismatch")
    server.ec2.create_fleet(**fleet(template, ClientToken="mismatch"))
    for call in (
        lambda: server.ec2.run_instances(
            ImageId="ami-2", MinCount=1, MaxCount=1, ClientToken="mismatch"
        ),
        lambda: server.ec2.create_fleet(
            **fleet(template, ClientToken="mismatch", ReplaceUnhealthyInstances=True)
        ),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "IdempotentParameterMismatch"


def test_a_template_is_made_once_for_a_token(server: Server) -> None:
    call = {
        "LaunchTemplateName": "once",
        "LaunchTemplateData": TEMPLATE,
        "ClientToken": "template-once",
    }
    ids = [
        server.ec2.create_launch_template(**call)["LaunchTemplate"]["LaunchTemplateId"]
        for _ in range(2)
    ]
    assert ids[0] == ids[1]


def test_a_dry_run_does_nothing_and_says_that_it_would(server: Server, template: str) -> None:
    name = server.run(tags=PLAIN)["InstanceId"]
    before = everything(server)
    for call in (
        lambda: server.ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, DryRun=True),
        lambda: server.ec2.create_fleet(**fleet(template, DryRun=True)),
        lambda: server.ec2.terminate_instances(InstanceIds=[name], DryRun=True),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "DryRunOperation"
    assert everything(server) == before
    assert server.state(name) != "shutting-down"


def test_what_ec2_refuses_is_refused_before_anything_is_launched(server: Server) -> None:
    before = everything(server)
    one = {"MinCount": 1, "MaxCount": 1}
    wrong: list[tuple[dict[str, Any], str]] = [
        (one, "MissingParameter"),
        ({"ImageId": "ami-1", "MinCount": 2, "MaxCount": 1}, "InvalidParameterValue"),
        ({"ImageId": "ami-1", **one, "UserData": "x" * 20_000}, "InvalidParameterValue"),
        ({"ImageId": "ami-1", **one, "SubnetId": "subnet-none"}, "InvalidSubnetID.NotFound"),
        ({"ImageId": "ami-1", **one, "SecurityGroupIds": ["sg-none"]}, "InvalidGroup.NotFound"),
    ]
    for call, code in wrong:
        with pytest.raises(ClientError) as refused:
            server.ec2.run_instances(**call)
        assert refused.value.response["Error"]["Code"] == code
    assert everything(server) == before


def test_there_is_a_default_network_and_any_image_is_taken(server: Server) -> None:
    [vpc] = server.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    subnets = server.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
    assert {one["VpcId"] for one in subnets["Subnets"]} == {vpc["VpcId"]}
    assert len(subnets["Subnets"]) > 1
    subnet = subnets["Subnets"][1]
    instance = server.run(tags=PLAIN, SubnetId=subnet["SubnetId"], ImageId="ami-never-made")
    assert instance["Placement"]["AvailabilityZone"] == subnet["AvailabilityZone"]


def test_a_call_that_is_not_there_is_refused_once_and_not_tried_again(server: Server) -> None:
    with pytest.raises(ClientError) as refused:
        server.ec2.get_spot_placement_scores(TargetCapacity=1, InstanceTypes=["c5.large"])
    assert refused.value.response["Error"]["Code"] == "UnsupportedOperation"
    assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def everything(server: Server) -> tuple[int, int]:
    """How many instances and spot requests there are."""
    groups = server.ec2.describe_instances(MaxResults=1000)["Reservations"]
    requests = server.ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    return sum(len(group["Instances"]) for group in groups), len(requests)
