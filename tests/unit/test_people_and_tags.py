"""People launch, end and tag instances, too; other stacks have names much like ours."""

from __future__ import annotations

import pytest

from aws_parallelizer.core.fleet import TAG_JOB, TAG_STACK, Phase
from fakes.ec2 import FakeEc2
from fleets import World, working
from local.spot import Cause

FLEET = "create_fleet"


@pytest.fixture
def world() -> World:
    return World()


def by_hand(ec2: FakeEc2, *, stack: str = "parallelizer", job: str = "job") -> str:
    return ec2.stranger(**{TAG_STACK: stack, TAG_JOB: job})


def test_an_instance_that_a_person_launched_with_the_jobs_tags_counts_and_is_kept(
    world: World,
) -> None:
    world.add_job()
    world.enqueue("job/1", "job/2")
    manual = by_hand(world.ec2)

    world.tick(30)

    assert world.ec2.running == [manual]
    assert world.ec2.made(FLEET) == []
    world.work(2)
    world.tick(15)
    assert world.ec2.running == []  # and goes with the others when the work is over


def test_more_instances_than_are_wanted_that_a_person_launched_are_not_scaled_down(
    world: World,
) -> None:
    working(world, max_instances=2)
    for _ in range(5):
        by_hand(world.ec2)

    world.tick(30)

    assert len(world.ec2.running) == 7
    assert world.ec2.changed == set()


def test_an_instance_that_a_person_terminated_is_replaced_and_nothing_is_said_against_its_launch(
    world: World,
) -> None:
    working(world)
    world.ec2.end(world.ec2.running[0], cause=Cause.BY_USER)

    world.tick(2)

    assert len(world.ec2.running) == 2
    assert world.fleet().barren == 0


def test_an_instance_whose_tags_a_person_took_off_is_not_touched_any_more_and_replaced(
    world: World,
) -> None:
    working(world)
    lost = world.ec2.running[0]
    world.ec2.machines[lost].tags.clear()

    world.tick(3)
    world.change_job(stopped=True)
    world.tick(3)

    assert world.ec2.running == [lost]
    assert lost not in world.ec2.changed


def test_a_persistent_requests_instance_whose_tags_a_person_took_off_is_tagged_again(
    world: World,
) -> None:
    working(world, spot_type="persistent")
    for id_ in world.ec2.running:
        world.ec2.machines[id_].tags.clear()

    world.tick(2)

    assert len(world.ec2.machines) == 2
    assert all(each.tags[TAG_JOB] == "job" for each in world.ec2.machines.values())


def test_an_instance_that_a_person_gave_to_another_job_is_that_jobs(world: World) -> None:
    working(world)
    world.add_job("other")
    given = world.ec2.running[0]
    world.ec2.machines[given].tags[TAG_JOB] = "other"

    world.tick()
    world.change_job("job", stopped=True)
    world.tick(2)

    assert world.ec2.running == [given]
    assert [each.id for each in world.fleet("other").instances] == [given]


def test_stacks_and_jobs_whose_names_begin_alike_never_touch_one_another(world: World) -> None:
    others = {
        by_hand(world.ec2, stack="parallelizer-2"),
        by_hand(world.ec2, stack="para"),
        by_hand(world.ec2, stack="parallelizer", job="job-2"),
        by_hand(world.ec2, stack="parallelizer", job="jo"),
    }
    working_with_others(world, others)
    world.change_job(deleting=True)
    world.tick(10)

    assert set(world.ec2.running) == others
    assert not world.ec2.changed & others
    assert world.registry.jobs() == []


def working_with_others(world: World, others: set[str]) -> None:
    world.add_job()
    world.enqueue(*[f"job/{number}" for number in range(40)])
    world.tick(2)
    assert len(set(world.ec2.running) - others) == 2


def test_the_launch_templates_of_jobs_whose_names_begin_alike_stay_when_one_job_goes(
    world: World,
) -> None:
    for name in ("job", "job-2"):
        world.add_job(name)
        world.enqueue(f"{name}/1", job=name)
    world.tick(2)
    world.change_job("job", deleting=True)

    world.tick(10)

    assert set(world.ec2.templates) == {"parallelizer/job-2/spot"}
    assert len(world.ec2.running) == 1


def test_a_job_made_anew_under_its_name_neither_counts_nor_pays_for_what_is_still_ending(
    world: World,
) -> None:
    working(world)
    old = set(world.ec2.running)
    world.work(40)
    world.change_job(deleting=True)
    world.tick(10)
    assert world.registry.jobs() == []

    world.add_job()  # EC2 shows the ended ones for an hour
    world.enqueue("job/new/1", "job/new/2")
    world.tick(2)

    assert len(set(world.ec2.running) - old) == 1
    assert {each.id for each in world.fleet().instances} == set(world.ec2.running)
    assert {each.instance for each in world.fleet().spending.uptimes} <= set(world.ec2.running)


def test_beats_of_an_instance_that_is_gone_or_was_never_the_jobs_change_nothing(
    world: World,
) -> None:
    working(world)
    world.beat("i-999", phase=Phase.ENDED, ready=False, why="it never was")
    world.beat("i-998")

    world.tick(5)

    assert len(world.ec2.machines) == 2
    assert world.ec2.changed == set()


def test_two_instances_that_name_one_request_during_a_relaunch_count_once_and_both_go(
    world: World,
) -> None:
    working(world, spot_type="persistent")
    gone = world.ec2.running[0]
    world.ec2.lingering.add(gone)  # it is shutting down for an hour
    world.ec2.end(gone)

    world.tick(3)

    requests = [each.request for each in world.fleet().instances]
    assert len(requests) == len(set(requests)) + 1 == 3
    assert world.ec2.made("run_instances") == world.ec2.made("run_instances")[:2]
    world.work(40)
    world.tick(75)
    assert world.ec2.running == []
    assert world.fleet().sentence == "no work left: nothing runs"
