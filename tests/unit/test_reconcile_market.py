"""Reconcile buys where there is something to be had: pools, parked instances, on demand."""

from __future__ import annotations

import pytest

from aws_parallelizer.core.fleet import TAG_PROTECT, Mark, Phase
from fakes.ec2.market import Market
from fleets import World

FLEET, RUN = "create_fleet", "run_instances"
POOL = ("c7i.large", "subnet-a")
OTHER = ("c7i.large", "subnet-b")


@pytest.fixture
def world() -> World:
    return World()


def asked(call: dict[str, object]) -> set[tuple[str, str]]:
    [config] = call["LaunchTemplateConfigs"]  # type: ignore[misc]
    return {(each["InstanceType"], each["SubnetId"]) for each in config["Overrides"]}


def test_a_pool_that_refused_is_left_alone_while_others_give(world: World) -> None:
    world.add_job(instance_type=("c7i.large",))
    world.enqueue(*[f"job/{number}" for number in range(100)])
    world.ec2.market = Market(pools={POOL: 0, OTHER: 2})

    world.tick(seconds=10)
    world.ec2.market.pools[OTHER] = 10
    world.tick(seconds=10)

    first, second = world.ec2.made(FLEET)
    assert asked(first) == {POOL, OTHER}
    assert asked(second) == {POOL, OTHER} or asked(second) == {OTHER}
    assert len(world.ec2.running) == 5
    assert "c7i.large subnet-a" in world.fleet().held


def test_a_pool_of_which_ec2_takes_instances_back_is_left_alone(world: World) -> None:
    world.add_job(instance_type=("c7i.large",))
    world.enqueue("job/1", "job/2")
    world.tick()
    [doomed] = world.ec2.running
    pool = world.ec2.machines[doomed].pool
    world.registry.put_mark(Mark(instance=doomed, action="terminate", at=world.ec2.now))

    world.tick(seconds=10)

    assert len(world.ec2.running) == 2  # its replacement comes while it still runs
    assert pool not in asked(world.ec2.made(FLEET)[-1])


def test_a_mark_of_somebody_elses_instance_changes_nothing_and_goes(world: World) -> None:
    world.add_job()
    world.enqueue("job/1", "job/2")
    stranger = world.ec2.stranger()
    world.registry.put_mark(Mark(instance=stranger, action="terminate", at=world.ec2.now))

    world.tick(40)

    assert len(world.ec2.machines) == 2
    assert world.registry.marks() == []
    assert stranger in world.ec2.running


def test_an_account_that_may_have_no_more_fleets_gets_instances_without_one(world: World) -> None:
    world.add_job()
    world.enqueue(*[f"job/{number}" for number in range(40)])
    world.ec2.refusals[FLEET] = (400, "MaxFleetCountExceeded")

    world.tick()

    assert len(world.ec2.running) == 2
    kinds = {
        call["InstanceMarketOptions"]["SpotOptions"]["SpotInstanceType"]
        for call in world.ec2.made(RUN)
    }
    assert kinds == {"one-time"}


def starving(world: World, minutes: int, **parameters: object) -> None:
    world.add_job(on_demand_after=20, **parameters)
    world.enqueue("job/1", "job/2")
    world.ec2.market.spare = 0
    world.tick(minutes)


@pytest.mark.parametrize("kind", ["one-time", "persistent"])
def test_on_demand_takes_over_after_so_many_minutes_without_capacity(
    world: World, kind: str
) -> None:
    starving(world, 20, spot_type=kind)
    assert world.ec2.running == []

    world.tick(3)

    [bought] = world.ec2.running
    assert not world.ec2.machines[bought].spot
    call = world.ec2.made(FLEET)[-1]
    assert call["TargetCapacitySpecification"]["DefaultTargetCapacityType"] == "on-demand"
    [name] = [each for each in world.ec2.templates if each.endswith("/on-demand")]
    kinds = {each["ResourceType"] for each in world.ec2.templates[name][0][1]["TagSpecifications"]}
    assert "spot-instances-request" not in kinds
    world.tick(30)
    assert world.ec2.running == [bought]  # it is kept, and counts


def test_without_on_demand_after_a_job_waits_for_spot(world: World) -> None:
    world.add_job()
    world.enqueue("job/1")
    world.ec2.market.spare = 0

    world.tick(120)

    assert world.ec2.machines == {}


def test_spot_takes_over_again_when_there_is_some(world: World) -> None:
    starving(world, 23)
    assert len(world.ec2.running) == 1
    world.ec2.market.spare = 100

    world.tick(20)
    world.enqueue(*[f"job/more/{number}" for number in range(98)])
    world.tick(2)

    kinds = [each.spot for each in world.ec2.machines.values() if each.state == "running"]
    assert sorted(kinds) == [False, True, True, True, True]


def test_on_demand_is_asked_ever_less_often_where_it_is_refused_too(world: World) -> None:
    starving(world, 20)
    world.ec2.market.on_demand = 0

    world.tick(60)

    on_demand = [
        call
        for call in world.ec2.made(FLEET)
        if call["TargetCapacitySpecification"]["DefaultTargetCapacityType"] == "on-demand"
    ]
    assert 1 <= len(on_demand) <= 10
    assert "on-demand: no" in world.fleet().sentence


def test_on_demand_instances_cost_at_most_the_jobs_price(world: World) -> None:
    starving(world, 23, max_price=0.05)

    call = world.ec2.made(FLEET)[-1]
    assert call["OnDemandOptions"]["MaxTotalPrice"] == "0.050000"


def parking(world: World) -> str:
    """A persistent job whose only instance has stopped itself."""
    world.add_job(spot_type="persistent", shutdown_behavior="stop")
    world.enqueue("job/1")
    world.tick(2)
    [instance] = world.ec2.running
    world.work(1)
    world.ec2.shut_down(instance, behavior="stop")
    world.tick()
    assert world.ec2.machines[instance].state == "stopped"
    return instance


def test_a_parked_instance_is_started_when_the_queue_refills(world: World) -> None:
    parked = parking(world)
    world.enqueue("job/2")

    world.tick(3)

    assert world.ec2.running == [parked]
    assert len(world.ec2.machines) == 1
    assert len(world.ec2.made("start_instances")) == 1


@pytest.mark.parametrize("code", ["InsufficientInstanceCapacity", "IncorrectSpotRequestState"])
def test_a_parked_instance_that_cannot_be_started_is_replaced_by_a_launch(
    world: World, code: str
) -> None:
    parking(world)
    world.enqueue("job/2")
    world.ec2.refusals["start_instances"] = (500, code)

    world.tick(2)

    assert len(world.ec2.running) == 1
    assert len(world.ec2.made("start_instances")) == 1


def test_a_broken_environment_parks_no_instance_that_is_started_for_ever(world: World) -> None:
    world.add_job(spot_type="persistent", shutdown_behavior="stop")
    world.enqueue("job/1", "job/2")
    for _ in range(60):
        world.tick()
        for id_ in world.ec2.running:
            world.beat(id_, phase=Phase.ENDED, ready=False, why="no run.sh")
            world.ec2.shut_down(id_, behavior="stop")

    assert world.ec2.made("start_instances") == []
    assert len(world.ec2.machines) <= 6
    assert "no run.sh" in world.fleet().sentence
    assert [each for each in world.ec2.machines.values() if each.state == "stopped"] == []


def test_what_is_bought_on_demand_ends_when_it_is_shut_down(world: World) -> None:
    starving(world, 23, spot_type="persistent", shutdown_behavior="stop")

    [name] = [each for each in world.ec2.templates if each.endswith("/on-demand")]

    data = world.ec2.templates[name][0][1]
    assert data["InstanceInitiatedShutdownBehavior"] == "terminate"


def test_a_parked_instance_goes_with_its_request_when_the_job_is_over(world: World) -> None:
    parked = parking(world)

    world.tick(10)

    assert world.ec2.machines[parked].state == "terminated"
    assert world.fleet().sentence == "no work left: nothing runs"
    assert world.ec2.made("terminate_instances") == []  # EC2 ends it with its request


def test_what_ec2_stopped_is_left_to_ec2_and_given_up_when_it_takes_too_long(
    world: World,
) -> None:
    world.add_job(spot_type="persistent", shutdown_behavior="stop")
    world.enqueue("job/1", "job/2")
    world.tick(2)
    [first] = world.ec2.running
    pool = world.ec2.machines[first].pool
    world.ec2.market.pools[pool] = 0
    world.ec2.interrupt(first, notice=False)

    world.tick(9)
    assert len(world.ec2.machines) == 1
    world.tick(4)

    assert world.ec2.made("start_instances") == []
    assert world.ec2.machines[first].state == "terminated"
    assert len(world.ec2.running) == 1


def test_nothing_ends_an_instance_that_a_person_protects(world: World) -> None:
    world.add_job()
    world.enqueue(*[f"job/{number}" for number in range(40)])
    world.tick(2)
    kept, other = world.ec2.running
    world.ec2.machines[kept].tags[TAG_PROTECT] = ""
    world.mute = {kept}

    world.tick(30)  # it is silent
    world.work(40)
    world.tick(15)  # the work is over
    world.change_job(deleting=True)
    world.tick(10)

    assert world.ec2.running == [kept]
    assert kept not in world.ec2.changed
    assert world.ec2.machines[other].state == "terminated"
    assert world.fleet().sentence == "deleting: keeping 1 protected instance"
