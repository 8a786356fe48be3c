"""EC2 does not know an id, not yet or not any more: no error, and no reason to stop."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aws_parallelizer.aws.ec2 import is_unknown
from fleets import World, working

CANCEL, TERMINATE = "cancel_spot_instance_requests", "terminate_instances"


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("why", "unknown"),
    [
        ("InvalidInstanceID.NotFound: The instance ID 'i-1' does not exist", True),
        ("InvalidSpotInstanceRequestID.NotFound: it is gone", True),
        ("InvalidInstanceID.Malformed: i-x", False),
        ("OperationNotPermitted: what .NotFound is", False),
    ],
)
def test_only_what_ec2_does_not_know_is_unknown(why: str, unknown: bool) -> None:
    assert is_unknown(why) == unknown


def test_an_instance_that_ec2_does_not_know_right_after_its_launch_is_ended_by_a_later_tick(
    world: World,
) -> None:
    working(world)
    world.change_job(stopped=True)
    early, other = world.ec2.running
    describe = world.ec2.describe_instances

    def shown_by_one_endpoint_only(**given: object) -> object:
        world.ec2.machines[early].shown = world.ec2.now
        answer = describe(**given)
        world.ec2.machines[early].shown = world.ec2.now + timedelta(seconds=1)
        return answer

    world.ec2.describe_instances = shown_by_one_endpoint_only  # type: ignore[method-assign, assignment]
    world.tick()
    assert world.ec2.running == [early]
    assert world.fleet().sentence == "stopped: terminating 2 instances"
    world.ec2.describe_instances = describe  # type: ignore[method-assign]
    world.tick()

    assert world.ec2.machines[early].state == "terminated"
    assert world.ec2.changed == {early, other}


def test_a_request_that_ec2_does_not_know_right_after_it_was_made_is_cancelled_by_a_later_tick(
    world: World,
) -> None:
    working(world, spot_type="persistent")
    world.ec2.refusals[CANCEL] = (400, "InvalidSpotInstanceRequestID.NotFound")
    world.change_job(stopped=True)

    world.tick(2)
    assert world.ec2.made(TERMINATE) == []  # EC2 would start it again
    assert "could not cancel" not in world.fleet().sentence
    world.ec2.refusals.clear()
    world.tick()

    assert world.ec2.running == []


def test_a_request_that_ec2_has_forgotten_hours_after_its_end_holds_nothing_up(
    world: World,
) -> None:
    working(world, spot_type="persistent")
    world.work(40)
    world.tick(15)
    assert world.ec2.running == []

    world.tick(60 * 5)  # EC2 forgets it after four hours

    assert world.fleet().sentence == "no work left: nothing runs"
    assert world.fleet().requests == ()


def test_a_replacement_that_ec2_does_not_know_when_it_is_tagged_is_tagged_by_a_later_tick(
    world: World,
) -> None:
    working(world, spot_type="persistent")
    for id_ in world.ec2.running:
        world.ec2.end(id_)
    world.ec2.refusals["create_tags"] = (400, "InvalidInstanceID.NotFound")

    world.tick(2)
    assert "could not tag" not in world.fleet().sentence
    world.ec2.refusals.clear()
    world.tick()

    assert all(world.ec2.machines[id_].tags for id_ in world.ec2.running)
    assert len(world.ec2.running) == 2
