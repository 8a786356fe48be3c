"""Reconcile against the local EC2: real requests over HTTP, and the spot life cycle behind them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from aws_parallelizer.core.fleet import TAG_JOB, TAG_LAUNCH, TAG_STACK
from fleets import World
from integration.local_ec2 import Server, serving
from stacks import settings
from waiting import until


class LocalWorld(World):
    """The fakes, with the local EC2 in place of ours; the clock is still the fake's."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.settings = settings(empty_readings=2, empty_span_seconds=0, drain_seconds=0)
        self.server = server
        image = server.ec2.register_image(
            Name="image", RootDeviceName="/dev/xvda", VirtualizationType="hvm"
        )
        self.ssm.values = {"/parallelizer/image-id": image["ImageId"]}

    @property
    def clients(self) -> dict[str, Any]:
        return {"ec2": self.server.ec2, "ssm": self.ssm}

    def described(self, *states: str) -> dict[str, dict[str, Any]]:
        pages = self.server.ec2.describe_instances(
            Filters=[{"Name": "instance-state-name", "Values": list(states)}]
        )
        return {
            each["InstanceId"]: each
            for reservation in pages["Reservations"]
            for each in reservation["Instances"]
        }

    def ended(self, *, but: set[str]) -> bool:
        return set(self.described("pending", "running", "stopping", "shutting-down")) == but

    def request_states(self) -> list[str]:
        answer = self.server.ec2.describe_spot_instance_requests()
        return [each["State"] for each in answer["SpotInstanceRequests"]]


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorld]:
    with serving(tmp_path_factory.mktemp("fleet")) as server:
        yield LocalWorld(server)


def tags(entry: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in entry.get("Tags", []) if ":" in tag["Key"]}


def own_tags(entry: dict[str, Any]) -> dict[str, str]:
    return {key: value for key, value in tags(entry).items() if key.startswith("parallelizer:")}


def test_a_persistent_fleet_is_launched_replaced_adopted_and_let_go(world: LocalWorld) -> None:
    ec2 = world.server.ec2
    stranger = world.server.run(tags=[])["InstanceId"]
    world.add_job(spot_type="persistent", max_price=0.07)
    world.enqueue(*[f"job/{number}" for number in range(40)])

    world.tick()
    first = set(world.described("pending", "running")) - {stranger}
    assert len(first) == 2
    intents = {each.id for each in world.registry.intents("job")}
    for request in ec2.describe_spot_instance_requests()["SpotInstanceRequests"]:
        assert request["Type"] == "persistent"
        assert request["SpotPrice"] == "0.070000"
        assert request["InstanceId"] in first
        assert own_tags(request)[TAG_LAUNCH] in intents

    lost = min(first)
    ec2.terminate_instances(InstanceIds=[lost])
    known = first | {stranger}
    until(lambda: set(world.described("running")) - known, seconds=60, what="a replacement")
    [replacement] = set(world.described("running")) - known
    assert own_tags(world.server.instance(replacement)) == {}
    world.tick(2)
    assert own_tags(world.server.instance(replacement)) == {
        TAG_STACK: "parallelizer",
        TAG_JOB: "job",
    }
    assert len(set(world.described("pending", "running")) - {stranger}) == 2

    world.work(40)

    def gone() -> bool:
        world.tick()
        return world.ended(but={stranger})

    until(gone, seconds=60, what="the fleet is gone")
    assert set(world.request_states()) == {"cancelled"}


def test_the_panic_button_ends_a_one_time_fleet_in_one_tick(world: LocalWorld) -> None:
    stranger = world.server.run(tags=[])["InstanceId"]
    world.add_job()
    world.enqueue(*[f"job/{number}" for number in range(40)])
    world.tick(2)
    [intent] = world.registry.intents("job")
    for id_ in intent.instances:
        assert own_tags(world.server.instance(id_)) == {
            TAG_STACK: "parallelizer",
            TAG_JOB: "job",
            TAG_LAUNCH: intent.id,
        }

    world.change_job(stopped=True)
    world.tick()

    until(lambda: world.ended(but={stranger}), seconds=60, what="the fleet is gone")
    world.tick()
    assert world.fleet().sentence == "stopped: nothing runs"


def test_the_shutdown_behaviour_is_sent(world: LocalWorld) -> None:
    """Defect 17 of the Java program: it was checked and never sent."""
    world.add_job(spot_type="persistent", shutdown_behavior="stop")
    world.enqueue("job/a")
    world.tick()

    [id_] = world.described("pending", "running")

    answer = world.server.ec2.describe_instance_attribute(
        InstanceId=id_, Attribute="instanceInitiatedShutdownBehavior"
    )
    assert answer["InstanceInitiatedShutdownBehavior"]["Value"] == "stop"
    [request] = world.server.ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    assert request["InstanceInterruptionBehavior"] == "stop"


def test_an_instance_is_told_its_job(world: LocalWorld) -> None:
    world.add_job()
    world.enqueue("job/a")
    world.tick()
    [id_] = world.described("pending", "running")

    answer = world.server.ec2.describe_instance_attribute(InstanceId=id_, Attribute="userData")

    told = base64.b64decode(answer["UserData"]["Value"]).decode()
    assert told.startswith("job=job\nledgerTable=ledger\n")
    assert f"queueURL={world.registry.job('job').queue_url}\n" in told
