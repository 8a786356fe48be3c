"""Reconcile replaces machines that do nothing for their money, and stops buying such machines."""

from __future__ import annotations

import msgspec
import pytest

from aws_parallelizer.core.fleet import Phase
from aws_parallelizer.core.job import Wish
from fleets import World
from local.spot import Cause

TERMINATE, CANCEL = "terminate_instances", "cancel_spot_instance_requests"


@pytest.fixture
def world() -> World:
    return World()


def one_wanted(world: World, **parameters: object) -> None:
    world.add_job(**parameters)
    world.enqueue("job/1", "job/2")


def mute_everything(world: World) -> None:
    """No worker gives a sign of life, from now on."""
    world.mute = {f"i-{number}" for number in range(200)}


@pytest.mark.parametrize("kind", ["one-time", "persistent"])
def test_a_machine_that_never_boots_is_replaced_and_ended(world: World, kind: str) -> None:
    one_wanted(world, spot_type=kind)
    world.tick()
    [never] = world.ec2.running
    world.mute = {never}

    world.tick(14)

    assert world.ec2.machines[never].state == "terminated"
    assert len(world.ec2.running) == 1
    assert world.ec2.changed <= {never, world.ec2.machines[never].request}


def test_a_worker_that_goes_silent_is_replaced_and_ended(world: World) -> None:
    one_wanted(world)
    world.tick(30)
    [silent] = world.ec2.running
    world.mute = {silent}

    world.tick(9)
    assert world.ec2.running == [silent]
    world.tick(4)

    assert silent not in world.ec2.running
    assert len(world.ec2.running) == 1


def test_a_beat_that_comes_one_tick_late_costs_nobody_his_machine(world: World) -> None:
    one_wanted(world)
    world.tick(30)
    [late] = world.ec2.running
    world.mute = {late}
    world.tick(10)
    assert late in world.fleet().suspects
    world.mute = set()

    world.tick(5)

    assert late in world.ec2.running
    assert world.fleet().suspects == {}
    assert world.ec2.made(TERMINATE) == []


def test_an_instance_that_vanishes_without_a_warning_is_replaced(world: World) -> None:
    one_wanted(world)
    world.tick(3)

    world.ec2.end(world.ec2.running[0])
    world.tick()

    assert len(world.ec2.running) == 1


def test_after_three_launches_without_a_sign_of_life_no_more_are_bought(world: World) -> None:
    one_wanted(world)
    mute_everything(world)

    world.tick(60)

    assert len(world.ec2.machines) <= 4
    assert world.fleet().barren >= 3
    assert "launches in a row brought no instance that worked" in world.fleet().sentence
    world.tick(60 * 8)
    assert len(world.ec2.machines) <= 4 + 8 + 3  # then one an hour is tried


def test_a_broken_environment_is_the_reason_that_is_told(world: World) -> None:
    one_wanted(world)
    mute_everything(world)

    for _ in range(3):
        world.tick()
        for id_ in world.ec2.running:
            world.beat(id_, phase=Phase.ENDED, ready=False, why="e.zip has no run.sh")
            world.ec2.end(id_, cause=Cause.BY_ITSELF)
    world.tick(3)

    assert len(world.ec2.machines) == 3
    assert world.fleet().sentence.startswith(
        "3 launches in a row brought no instance that worked (the last: e.zip has no run.sh), "
        "next try in "
    )


def test_one_that_works_after_all_ends_the_waiting(world: World) -> None:
    one_wanted(world)
    mute_everything(world)
    for _ in range(3):
        world.tick()
        for id_ in world.ec2.running:
            world.ec2.end(id_, cause=Cause.BY_ITSELF)
    world.enqueue(*[f"job/more/{number}" for number in range(98)])
    world.tick()
    assert world.ec2.running == []

    world.mute = set()
    world.tick(10)
    assert len(world.ec2.running) == 1
    world.tick(2)

    assert world.fleet().barren == 0
    assert len(world.ec2.running) == 5


@pytest.mark.parametrize("mended", ["parameters", "environment", "wish"])
def test_what_a_person_mends_is_tried_at_once(world: World, mended: str) -> None:
    one_wanted(world)
    mute_everything(world)
    for _ in range(3):
        world.tick()
        for id_ in world.ec2.running:
            world.ec2.end(id_, cause=Cause.BY_ITSELF)
    world.tick(2)
    assert world.ec2.running == []

    if mended == "parameters":
        changed = msgspec.structs.replace(
            world.registry.job("job").parameters, analysis_program="other.sh"
        )
        world.change_job(parameters=changed)
    elif mended == "environment":
        world.s3.put("parallelizer-environment", "e.zip", etag="another")
    else:
        world.change_job(wishes=(Wish(id="w", count=1),))
    world.tick()

    assert len(world.ec2.running) == 1


def test_what_ec2_takes_back_before_it_works_says_nothing_against_the_launch(
    world: World,
) -> None:
    one_wanted(world)
    mute_everything(world)

    for _ in range(5):
        world.tick()
        for id_ in world.ec2.running:
            world.ec2.interrupt(id_)
        world.tick(3)

    assert world.fleet().barren == 0


def test_what_the_panic_button_ended_says_nothing_against_the_launch(world: World) -> None:
    one_wanted(world)
    mute_everything(world)

    for _ in range(4):
        world.change_job(stopped=False)
        world.tick()
        assert len(world.ec2.running) == 1
        world.change_job(stopped=True)
        world.tick(6)

    assert world.fleet().barren == 0


def test_spot_was_asked_for_and_on_demand_given_is_ended_and_said(world: World) -> None:
    one_wanted(world)
    world.ec2.gives_on_demand = True
    world.tick()
    [dear] = world.ec2.running
    world.ec2.gives_on_demand = False

    world.tick(3)

    assert world.ec2.machines[dear].state == "terminated"
    assert world.ec2.changed == {dear}
    assert len(world.ec2.running) == 1


def test_the_rows_of_workers_that_are_gone_are_removed(world: World) -> None:
    one_wanted(world)
    world.tick(2)
    [gone] = world.ec2.running
    world.ec2.end(gone)

    world.tick(65)

    assert {each.instance for each in world.registry.beats("job")} == set(world.ec2.running)
