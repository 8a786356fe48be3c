"""Reconcile where a launch is refused or something it needs is not there."""

from __future__ import annotations

import msgspec
import pytest

from fleets import World

LAUNCHES = ("create_fleet", "run_instances")


@pytest.fixture
def world() -> World:
    return World()


def files(count: int) -> list[str]:
    return [f"job/{number}" for number in range(count)]


def test_no_capacity_is_said_and_asked_for_ever_less_often(world: World) -> None:
    world.add_job()
    world.enqueue(*files(20))
    world.ec2.capacity = 0

    world.tick()
    said = world.fleet().sentence
    world.tick(59)

    assert said.startswith("no spot capacity in 24 of 24 pools")
    assert len(world.ec2.made("create_fleet")) <= 10
    assert ", next try in " in world.fleet().sentence


def test_a_persistent_launch_asks_each_pool_once_a_tick(world: World) -> None:
    world.add_job(spot_type="persistent", instance_type=None)
    world.enqueue(*files(100))
    world.ec2.capacity = 0

    world.tick()

    calls = world.ec2.made("run_instances")
    pools = [(call["InstanceType"], call["SubnetId"]) for call in calls]
    assert len(pools) == len(set(pools)) == 12


@pytest.mark.parametrize("kind", ["one-time", "persistent"])
def test_part_of_a_launch_is_kept_and_the_rest_stays_wanted(world: World, kind: str) -> None:
    world.add_job(spot_type=kind)
    world.enqueue(*files(200))
    world.ec2.capacity = 3

    world.tick()
    assert len(world.ec2.running) == 3
    world.ec2.capacity = 100
    world.tick()

    assert len(world.ec2.running) == 10


def test_a_used_up_quota_stops_launching_and_keeps_the_workers(world: World) -> None:
    world.add_job(spot_type="persistent")
    world.enqueue(*files(40))
    world.tick()
    world.enqueue(*[f"job/more/{number}" for number in range(100)])
    world.ec2.refusals["run_instances"] = (400, "MaxSpotInstanceCountExceeded")

    world.tick(5)

    assert len(world.ec2.running) == 2
    assert len(world.ec2.made("run_instances")) == 2 + 1
    assert "quota" in world.fleet().sentence


def test_a_wrong_configuration_is_said_and_tried_again_when_it_changes(world: World) -> None:
    job = world.add_job()
    world.enqueue(*files(20))
    world.ec2.refusals["create_fleet"] = (400, "InvalidKeyPair.NotFound")
    world.tick()
    assert "InvalidKeyPair.NotFound" in world.fleet().sentence
    world.tick(seconds=1)
    assert len(world.ec2.made("create_fleet")) == 1

    world.ec2.refusals.clear()
    world.change_job(parameters=msgspec.structs.replace(job.parameters, key_pair="mine"))
    world.tick(seconds=1)

    assert len(world.ec2.running) == 1


def test_without_an_image_nothing_is_launched_and_the_cure_is_said(world: World) -> None:
    world.add_job()
    world.enqueue(*files(20))
    world.ssm.values.clear()

    world.tick()

    assert world.ec2.made(*LAUNCHES) == []
    assert world.fleet().sentence.startswith("no image: run make ami, or set imageID")
    assert world.fleet().backoff.failures == 1
    world.tick(seconds=1)
    assert world.fleet().sentence == "no image: run make ami, or set imageID, next try in 9 s"


def test_without_an_environment_nothing_is_launched_until_it_is_there(
    world: World,
) -> None:
    world.add_job()
    world.enqueue(*files(20))
    world.s3.objects["parallelizer-environment"].clear()

    world.tick()
    assert world.ec2.made(*LAUNCHES) == []
    assert world.fleet().sentence.startswith("no environment: upload e.zip to bucket parallelizer-")

    world.s3.put("parallelizer-environment", "e.zip")
    world.tick()
    assert len(world.ec2.running) == 1


def test_an_image_that_is_not_there_is_a_configuration_error(world: World) -> None:
    world.add_job(image_id="ami-gone")
    world.enqueue(*files(20))

    world.tick()

    assert world.ec2.machines == {}
    assert world.fleet().sentence.startswith("EC2 refuses to launch (InvalidAMIID.NotFound")


def test_a_queue_that_cannot_be_read_launches_nothing(world: World) -> None:
    world.add_job()
    world.enqueue(*files(20))
    world.queue().broken = True

    world.tick()

    assert world.ec2.made(*LAUNCHES) == []
    assert "the queue could not be read" in world.fleet().sentence


def test_an_instance_type_that_is_not_there_is_said(world: World) -> None:
    world.add_job(instance_type=("x9.nonsense",))
    world.enqueue(*files(20))

    world.tick()

    assert world.fleet().sentence == "InvalidInstanceType it is"
