"""Reconcile launches: to fit, once, whatever breaks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest

from aws_parallelizer.core.job import Wish
from fakes.ec2 import Crash
from fleets import START, World

LAUNCHES = ("create_fleet", "run_instances")


@pytest.fixture
def world() -> World:
    return World()


def files(count: int) -> list[str]:
    return [f"job/{number}" for number in range(count)]


@pytest.mark.parametrize("kind", ["one-time", "persistent"])
def test_a_backlog_gets_the_fleet_that_fits_it(world: World, kind: str) -> None:
    world.add_job(spot_type=kind)
    world.enqueue(*files(100))

    world.tick()

    assert len(world.ec2.running) == 5  # 100 tasks x 60 s on 2 slots in 600 s
    assert world.fleet().sentence == (
        "launching 5 instances: 100 tasks in the queue, 0 of 5 instances there"
    )


@pytest.mark.parametrize("kind", ["one-time", "persistent"])
def test_nothing_is_launched_twice_while_launches_are_not_yet_shown(
    world: World, kind: str
) -> None:
    world.ec2.shows_after = timedelta(seconds=90)
    world.add_job(spot_type=kind)
    world.enqueue(*files(100))

    world.tick(10)

    assert len(world.ec2.machines) == 5
    assert world.fleet().sentence == "100 tasks in the queue, 5 of 5 instances there"


def test_the_measured_seconds_of_a_task_set_the_number_of_instances(world: World) -> None:
    world.add_job(max_instances=1000)
    world.enqueue(*files(300))
    world.work(200, seconds=6)

    world.tick()

    assert world.fleet().seconds_per_task == 6
    assert len(world.ec2.running) == 1


def test_a_lost_instance_is_replaced(world: World) -> None:
    world.add_job()
    world.enqueue(*files(100))
    world.tick(2)

    world.ec2.end(world.ec2.running[0])
    world.tick()

    assert len(world.ec2.running) == 5


@pytest.mark.parametrize("kind", ["one-time", "persistent"])
def test_a_launch_whose_answer_was_lost_is_not_made_twice(world: World, kind: str) -> None:
    world.add_job(spot_type=kind)
    world.enqueue(*files(20))
    world.ec2.lost_answers = list(LAUNCHES)

    world.tick(3)

    calls = world.ec2.made(*LAUNCHES)
    assert len(calls) == 2
    assert calls[0] == calls[1]
    assert len(world.ec2.machines) == 1


@pytest.mark.parametrize("kind", ["one-time", "persistent"])
def test_a_crash_between_intent_and_call_launches_once(world: World, kind: str) -> None:
    world.add_job(spot_type=kind)
    world.enqueue(*files(20))
    world.ec2.crashes = list(LAUNCHES)

    with pytest.raises(Crash):
        world.tick()
    assert world.ec2.machines == {}
    world.ec2.crashes = []
    world.tick(8)  # the run that died had the lease for 310 s

    assert len(world.ec2.machines) == 1
    assert len(world.registry.intents("job")) == 1


def test_a_crash_between_call_and_answer_launches_once(world: World) -> None:
    world.add_job()
    world.enqueue(*files(20))
    world.tick()
    [intent] = world.registry.intents("job")
    # What the crash left: EC2 launched, and nobody wrote it down.
    world.registry.put_intent(msgspec.structs.replace(intent, resolved=False, instances=()))

    world.tick(3)

    assert len(world.ec2.machines) == 1
    assert world.registry.intents("job")[0].instances == tuple(world.ec2.running)


def test_a_launch_is_replayed_as_stored_though_the_job_has_changed(world: World) -> None:
    job = world.add_job()
    world.enqueue(*files(20))
    world.ec2.lost_answers = ["create_fleet"]
    world.tick()

    world.change_job(parameters=msgspec.structs.replace(job.parameters, max_price=0.01))
    world.tick(3)

    first, second = world.ec2.made("create_fleet")
    assert first == second
    assert len(world.ec2.machines) == 1


def test_an_unresolved_launch_holds_back_others_until_it_is_known(world: World) -> None:
    world.add_job()
    world.enqueue(*files(20))
    world.ec2.refusals["create_fleet"] = (500, "InternalError")

    world.tick(5)

    assert len({call["ClientToken"] for call in world.ec2.made("create_fleet")}) == 1
    world.ec2.refusals.clear()
    world.tick()
    assert len(world.ec2.machines) == 1


def test_a_wish_is_launched_once_and_then_forgotten(world: World) -> None:
    world.add_job()
    world.change_job(wishes=(Wish(id="w", count=3, max_price=0.25),))

    world.tick(3)

    assert len(world.ec2.machines) == 3
    assert world.registry.job("job").wishes == ()
    [call] = world.ec2.made("create_fleet")
    [configuration] = call["LaunchTemplateConfigs"]
    assert {each["MaxPrice"] for each in configuration["Overrides"]} == {"0.250000"}


def test_a_wish_waits_for_an_image(world: World) -> None:
    world.add_job()
    world.ssm.values.clear()
    world.change_job(wishes=(Wish(id="w", count=3),))

    world.tick()

    assert len(world.registry.job("job").wishes) == 1


def test_a_crash_after_the_launch_of_a_wish_does_not_grant_it_again(world: World) -> None:
    world.add_job()
    wish = Wish(id="w", count=3)
    world.change_job(wishes=(wish,))
    world.tick()
    world.change_job(wishes=(wish,))  # as if the crash had come before it was dropped

    world.tick()

    assert len(world.ec2.machines) == 3
    assert world.registry.job("job").wishes == ()


def test_two_reconciles_at_once_do_the_work_of_one(world: World) -> None:
    world.add_job()
    world.enqueue(*files(20))
    world.registry.take_lease("reconcile", owner="another", now=START, seconds=300)

    world.tick()
    assert world.ec2.calls == []
    world.tick(5)

    assert len(world.ec2.machines) == 1


def test_one_job_that_fails_does_not_stop_the_others(world: World) -> None:
    broken = world.add_job("a")
    world.queues.queues[broken.queue_url] = cast("Any", None)
    world.add_job("b")
    world.enqueue("b/1", job="b")

    world.tick()

    assert len(world.ec2.running) == 1
    assert world.fleet("a").sentence.startswith("reconcile failed: ")


def test_the_slots_of_an_instance_are_its_vcpus_or_the_threads_that_were_asked_for(
    world: World,
) -> None:
    world.add_job("a", instance_type=("c7i.4xlarge",))
    world.add_job("b", instance_type=("c7i.4xlarge",), num_threads=1)
    for job in "ab":
        world.enqueue(*[f"{job}/{number}" for number in range(100)], job=job)

    world.tick()

    counts = [
        call["TargetCapacitySpecification"]["TotalTargetCapacity"]
        for call in world.ec2.made("create_fleet")
    ]
    assert counts == [1, 10]


def test_the_launch_template_is_made_once_and_follows_the_parameters(world: World) -> None:
    job = world.add_job()
    world.enqueue(*files(20))
    world.tick(2)
    assert len(world.ec2.templates["parallelizer/job/spot"]) == 1

    world.change_job(parameters=msgspec.structs.replace(job.parameters, idle_timeout=7))
    world.enqueue(*[f"job/more/{number}" for number in range(100)])
    world.tick()

    assert len(world.ec2.templates["parallelizer/job/spot"]) == 2
    assert [
        call["LaunchTemplateConfigs"][0]["LaunchTemplateSpecification"]["Version"]
        for call in world.ec2.made("create_fleet")
    ] == ["1", "2"]


def test_an_idle_job_costs_no_call_to_ec2(world: World) -> None:
    world.add_job()
    world.tick(10)
    before = len(world.ec2.calls)

    world.tick(5)
    assert len(world.ec2.calls) == before
    world.tick(10)

    assert len(world.ec2.calls) > before  # now and then it is looked at all the same
