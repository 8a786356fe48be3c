"""The shape of what is asked of EC2, by moto: launch template and fleet."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.core import user_data
from aws_parallelizer.core.fleet import TAG_JOB, TAG_STACK
from fleets import World

RESOURCES = ("instance", "volume", "network-interface", "spot-instances-request")
SHOWN_BY_MOTO = ("launch-template",)  # which lists the template's own tags among the data's


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield boto3.client("ec2", region_name="us-east-1")


class Recorded:
    """The client, and what its fleets were made of."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.launches: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def create_fleet(self, **arguments: Any) -> Any:
        self.launches.append(arguments)
        return self._client.create_fleet(**arguments)


class MotoWorld(World):
    """The fakes, with moto's EC2 in place of ours; the clock is still the fake's."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self.recorded = Recorded(client)
        self.image_id = client.register_image(Name="made")["ImageId"]
        [image] = client.describe_images(ImageIds=[self.image_id])["Images"]
        self.root_device = image["RootDeviceName"]
        self.ssm.values = {"/parallelizer/image-id": self.image_id}

    @property
    def clients(self) -> dict[str, Any]:
        return {"ec2": self.recorded, "ssm": self.ssm}


@pytest.fixture
def world(ec2: Any) -> MotoWorld:
    return MotoWorld(ec2)


def template_data(ec2: Any) -> dict[str, Any]:
    answer = ec2.describe_launch_template_versions(
        LaunchTemplateName="parallelizer/job/spot", Versions=["$Latest"]
    )
    return dict(answer["LaunchTemplateVersions"][0]["LaunchTemplateData"])


def test_the_launch_template_holds_all_that_an_instance_is_told(ec2: Any, world: MotoWorld) -> None:
    job = world.add_job(key_pair="mine")
    world.enqueue("job/a")
    world.tick()

    data = template_data(ec2)

    assert data["ImageId"] == world.image_id
    assert data["KeyName"] == "mine"
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    [mapping] = data["BlockDeviceMappings"]
    assert mapping["DeviceName"] == world.root_device
    assert mapping["Ebs"] == {"Encrypted": True, "VolumeType": "gp3", "DeleteOnTermination": True}
    assert data["IamInstanceProfile"]["Arn"] == world.settings.instance_profile_arn
    assert data["InstanceInitiatedShutdownBehavior"] == "terminate"
    told = user_data.decode(base64.b64decode(data["UserData"]))
    assert (told.job, told.ledger_table, told.stack) == ("job", "ledger", "parallelizer")
    assert told.parameters.queue_url == job.queue_url
    tagged = {each["ResourceType"]: each["Tags"] for each in data["TagSpecifications"]}
    tags = [{"Key": TAG_STACK, "Value": "parallelizer"}, {"Key": TAG_JOB, "Value": "job"}]
    assert tagged == dict.fromkeys((*RESOURCES, *SHOWN_BY_MOTO), tags)


def test_a_one_time_launch_is_an_instant_fleet_over_every_type_and_subnet(
    ec2: Any, world: MotoWorld
) -> None:
    world.add_job(instance_type=("c5.large", "m5.large"), max_price=0.07)
    world.enqueue(*[f"job/{number}" for number in range(60)])

    world.tick()

    [call] = world.recorded.launches
    subnets = {each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]}
    [configuration] = call["LaunchTemplateConfigs"]
    assert call["Type"] == "instant"
    assert call["SpotOptions"] == {"AllocationStrategy": "price-capacity-optimized"}
    assert call["TargetCapacitySpecification"]["TotalTargetCapacity"] == 3
    assert {(o["InstanceType"], o["SubnetId"]) for o in configuration["Overrides"]} == {
        (kind, subnet) for kind in ("c5.large", "m5.large") for subnet in subnets
    }
    assert {o["MaxPrice"] for o in configuration["Overrides"]} == {"0.070000"}


def test_a_fleets_instances_bear_the_tags_by_which_they_are_found_again(
    ec2: Any, world: MotoWorld
) -> None:
    world.add_job()
    world.enqueue("job/a")

    world.tick()

    [intent] = world.registry.intents("job")
    mine = {f"tag:{TAG_STACK}": ["parallelizer"], f"tag:{TAG_JOB}": ["job"]}
    [seen] = Ec2(ec2, launcher=ec2).instances(mine)
    assert (seen.id,) == intent.instances
    assert seen.launch == intent.id == world.recorded.launches[0]["ClientToken"]


def test_security_groups_are_found_by_name_in_the_subnets_vpc(ec2: Any, world: MotoWorld) -> None:
    vpc = ec2.describe_subnets()["Subnets"][0]["VpcId"]
    made = ec2.create_security_group(GroupName="workers", Description="w", VpcId=vpc)["GroupId"]
    world.add_job(security_group=("workers", "sg-0abc"))
    world.enqueue("job/a")

    world.tick()

    assert template_data(ec2)["SecurityGroupIds"] == [made, "sg-0abc"]


def test_a_security_group_or_subnet_that_is_not_there_is_a_configuration_error(
    world: MotoWorld,
) -> None:
    world.add_job("a", security_group=("nobodys",))
    world.add_job("b", subnets=("subnet-0abc",))
    for job in "ab":
        world.enqueue(f"{job}/1", job=job)

    world.tick()

    assert world.recorded.launches == []
    assert "there is no security group nobodys in vpc-" in world.fleet("a").sentence
    assert "subnet-0abc" in world.fleet("b").sentence


def test_more_ids_than_a_filter_takes_are_asked_for_in_parts(ec2: Any) -> None:
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    made = ec2.run_instances(ImageId="ami-03cf127a", MinCount=250, MaxCount=250, SubnetId=subnet)
    ids = [each["InstanceId"] for each in made["Instances"]]

    assert len(Ec2(ec2, launcher=ec2).instances({"instance-id": ids})) == 250
    assert Ec2(ec2, launcher=ec2).instances({"instance-id": []}) == []


def test_one_unknown_id_does_not_spoil_the_terminating_of_the_others(ec2: Any) -> None:
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    made = ec2.run_instances(ImageId="ami-03cf127a", MinCount=5, MaxCount=5, SubnetId=subnet)
    ids = [each["InstanceId"] for each in made["Instances"]]
    gone = "i-00000000000000000"

    refused = Ec2(ec2, launcher=ec2).terminate([*ids[:2], gone, *ids[2:]])

    assert list(refused) == [gone]
    left = Ec2(ec2, launcher=ec2).instances({"instance-state-name": ["running"]})
    assert left == []
