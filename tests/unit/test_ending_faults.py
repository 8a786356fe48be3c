"""Ends that EC2 refuses, delays or crosses: what costs money goes all the same, and is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import NoCredentialsError

from aws_parallelizer.aws.spot import SpotRequests
from aws_parallelizer.core.fleet import Mark, Phase
from aws_parallelizer.worker import shutdown
from aws_parallelizer.worker.shutdown import Ending
from fakes.ec2.machine import Machine
from fleets import World, working
from local.spot import Cause, SpotState

CANCEL, TERMINATE = "cancel_spot_instance_requests", "terminate_instances"


@pytest.fixture
def world() -> World:
    return World()


def test_an_instance_whose_worker_could_not_cancel_its_request_is_ended_by_the_control_plane(
    world: World,
) -> None:
    working(world, spot_type="persistent")
    stays, other = world.ec2.running
    world.mute = {stays}
    world.beat(stays, phase=Phase.ENDED, why="its request is not cancelled")

    world.tick(4)

    assert world.ec2.machines[stays].state == "terminated"
    request = world.ec2.requests[world.ec2.machines[stays].request]
    assert request.state is SpotState.CANCELLED
    assert other in world.ec2.running
    assert len(world.ec2.running) == 2


def test_a_worker_without_credentials_can_only_stay_and_is_ended_when_it_was_silent_for_long(
    world: World,
) -> None:
    working(world, spot_type="persistent")
    stays, other = world.ec2.running
    request = world.ec2.machines[stays].request
    world.mute = {stays}  # it can tell nobody why it ends
    told: list[str] = []

    def asked() -> SpotRequests:
        raise NoCredentialsError

    code = shutdown.conclude(
        Ending("Unable to locate credentials", 1, shut_down=True),
        instance=stays,
        requests=asked,
        power_off=["false"],
        tell=told.append,
        pauses=(),
    )
    assert code == shutdown.TRY_AGAIN
    assert "the instance stays" in told[0]
    world.tick(9)
    assert stays in world.ec2.running
    world.tick(4)

    assert world.ec2.requests[request].state is SpotState.CANCELLED
    assert world.ec2.machines[stays].state == "terminated"
    assert other in world.ec2.running
    assert len(world.ec2.running) == 2
    assert world.ec2.changed <= {stays, request}


@pytest.mark.parametrize("hidden", [0, 90])
def test_an_instance_that_ec2_launches_between_the_listing_and_the_cancel_is_swept(
    world: World, hidden: float
) -> None:
    working(world, spot_type="persistent")
    for id_ in world.ec2.running:
        world.ec2.end(id_, cause=Cause.RECLAIMED)
    world.ec2.shows_after = timedelta(seconds=hidden)
    cancel = world.ec2.cancel_spot_instance_requests

    def crossed(**given: object) -> object:
        world.ec2.pass_time(31)  # EC2 launches for the open requests
        return cancel(**given)

    world.ec2.cancel_spot_instance_requests = crossed  # type: ignore[method-assign, assignment]
    world.change_job(deleting=True)
    world.run()
    assert len(world.ec2.running) == 2 or not hidden
    world.tick(10)

    assert world.ec2.running == []
    assert world.registry.jobs() == []


@pytest.mark.parametrize("order", ["stopped", "deleting"])
@pytest.mark.parametrize("hidden", [0, 90])
def test_an_instance_whose_request_ec2_does_not_show_yet_is_not_ended_before_it(
    world: World, order: str, hidden: float
) -> None:
    world.ec2.requests_show_after = timedelta(seconds=90)
    world.ec2.shows_after = timedelta(seconds=hidden)
    world.add_job(spot_type="persistent")
    world.enqueue(*[f"job/{number}" for number in range(40)])
    world.tick()

    world.change_job(**{order: True})
    world.tick(15)

    ends = [name for name, _ in world.ec2.calls if name in (CANCEL, TERMINATE)]
    assert ends == [CANCEL, TERMINATE]
    assert world.ec2.running == []
    assert len(world.ec2.machines) == 2  # EC2 started none again


def test_a_stopped_instance_that_goes_with_its_cancelled_request_is_no_fault_to_be_told(
    world: World,
) -> None:
    world.add_job(spot_type="persistent", shutdown_behavior="stop")
    world.enqueue("job/1")
    world.tick(2)
    [parked] = world.ec2.running
    world.work(1)
    world.ec2.shut_down(parked, behavior="stop")
    said = set()

    for _ in range(12):
        world.tick()
        said.add(world.fleet().sentence)

    assert world.ec2.machines[parked].state == "terminated"
    assert not [each for each in said if "could not" in each or "failed" in each]


def test_an_instance_that_ec2_interrupted_and_refuses_to_start_is_left_to_ec2(
    world: World,
) -> None:
    world.add_job(spot_type="persistent", shutdown_behavior="stop")
    world.enqueue("job/1", "job/2")
    world.tick(2)
    [first] = world.ec2.running
    world.ec2.interrupt(first, notice=False)

    world.tick(3)

    assert world.ec2.running == [first]  # EC2 started it
    assert world.ec2.made("start_instances") == []


def slow(world: World) -> list[Machine]:
    world.ec2.lingering = set(world.ec2.running)
    return [world.ec2.machines[id_] for id_ in world.ec2.running]


def test_instances_that_shut_down_for_half_an_hour_are_told_by_id_and_not_counted(
    world: World,
) -> None:
    working(world)
    first, second = slow(world)
    for each in (first, second):
        world.ec2.end(each.id)

    world.tick(29)
    assert len(world.ec2.running) == 2  # they were replaced at once
    assert "shutting down for" not in world.fleet().sentence
    world.tick(3)

    assert len(world.ec2.machines) == 4
    assert world.fleet().sentence == (
        "40 tasks in the queue, 2 of 2 instances there; "
        f"2 instances shutting down for over 30 min: {first.id} {second.id}"
    )
    world.tick(40)
    assert "shutting down for" not in world.fleet().sentence
    assert world.fleet().ending == {}


def test_a_stopped_job_whose_instances_do_not_go_says_so_and_ends_when_they_are_gone(
    world: World,
) -> None:
    working(world)
    machines = slow(world)
    world.change_job(stopped=True)

    world.tick(32)
    assert world.fleet().sentence == (
        "stopped: 2 instances shutting down; 2 instances shutting down for over 30 min: "
        f"{machines[0].id} {machines[1].id}"
    )
    assert len(world.ec2.made(TERMINATE)) == 1
    world.tick(40)

    assert world.fleet().sentence == "stopped: nothing runs"


def test_an_instance_under_termination_protection_is_told_and_the_other_jobs_go_on(
    world: World,
) -> None:
    working(world)
    kept = world.ec2.running[0]
    world.ec2.protected = {kept}
    world.add_job("other")
    world.enqueue("other/1", job="other")
    world.change_job(stopped=True)

    world.tick(3)

    assert f"could not terminate {kept}: OperationNotPermitted" in world.fleet().sentence
    assert kept in world.ec2.running
    assert len(world.ec2.running) == 2
    assert world.fleet("other").sentence == "1 task in the queue, 1 of 1 instance there"


def test_an_instance_that_ec2_warned_of_and_did_not_take_counts_again_after_half_an_hour(
    world: World,
) -> None:
    working(world, max_instances=2)
    spared = world.ec2.running[0]
    world.registry.put_mark(Mark(instance=spared, action="terminate", at=world.ec2.now))

    world.tick(29)
    assert world.fleet().sentence.startswith("40 tasks in the queue, 1 of 2 instances there")
    world.tick(3)

    assert world.fleet().sentence == "40 tasks in the queue, 2 of 2 instances there"
    assert len(world.ec2.machines) == 2  # never more than the most
    assert world.ec2.changed == set()


@pytest.mark.parametrize("kind", ["one-time", "persistent"])
def test_a_fleet_of_1500_instances_is_read_page_by_page_and_ended_in_batches(
    world: World, kind: str
) -> None:
    world.add_job(spot_type=kind, max_instances=2000)
    world.enqueue("job/1")
    world.tick()
    [first] = world.ec2.machines.values()
    pattern = world.ec2.requests[first.request]
    for number in range(10_000, 11_499):
        id_, request = f"i-{number}", f"sir-{number}"
        world.ec2.machines[id_] = Machine(
            id=id_, launched=first.launched, shown=first.shown, tags=first.tags, request=request
        )
        world.ec2.specs[request] = world.ec2.specs[pattern.id]
        world.ec2.requests[request] = replace(pattern, id=request, instance=id_)
    world.ec2.calls.clear()
    world.change_job(stopped=True)

    world.run()

    assert world.ec2.running == []
    named = [call["InstanceIds"] for call in world.ec2.made(TERMINATE)]
    assert max(map(len, named)) <= 200
    assert sum(map(len, named)) == 1500
    if kind == "persistent":
        cancelled = [call["SpotInstanceRequestIds"] for call in world.ec2.made(CANCEL)]
        assert max(map(len, cancelled)) <= 200
        assert sum(map(len, cancelled)) == 1500
    pages = world.ec2.made("describe_instances")
    assert [call for call in pages if call.get("NextToken")]
