"""Reconcile lets a fleet go: when the work is over, at the panic button, and with the job."""

from __future__ import annotations

import pytest

from aws_parallelizer.core.fleet import TAG_JOB, TAG_STACK
from fakes.ec2 import FakeEc2
from fleets import World

CANCEL, TERMINATE = "cancel_spot_instance_requests", "terminate_instances"


@pytest.fixture
def world() -> World:
    return World()


def working(world: World, kind: str, *, count: int = 40) -> None:
    """A job whose fleet is at work."""
    world.add_job(spot_type=kind)
    world.enqueue(*[f"job/{number}" for number in range(count)])
    world.tick(2)
    assert world.ec2.running


def steps(ec2: FakeEc2) -> list[str]:
    """The cancelling and terminating calls, in their order."""
    return [operation for operation, _ in ec2.calls if operation in (CANCEL, TERMINATE)]


def live_requests(ec2: FakeEc2) -> list[str]:
    return [
        each.id for each in ec2.requests.values() if each.state in ("open", "active", "disabled")
    ]


@pytest.mark.parametrize("kind", ["one-time", "persistent"])
def test_an_empty_job_lets_its_fleet_go_and_nothing_is_left(world: World, kind: str) -> None:
    working(world, kind)
    world.work(40)

    world.tick(15)

    assert world.ec2.running == []
    assert steps(world.ec2) == ([CANCEL, TERMINATE] if kind == "persistent" else [TERMINATE])
    assert world.fleet().sentence == "no work left: nothing runs"
    world.tick(30)
    assert len(world.ec2.machines) == 2
    if kind == "persistent":
        assert live_requests(world.ec2) == []


def test_workers_that_end_by_themselves_are_not_terminated(world: World) -> None:
    working(world, "one-time")
    world.work(40)
    for id_ in world.ec2.running:
        world.ec2.end(id_)

    world.tick(20)

    assert steps(world.ec2) == []
    assert world.fleet().sentence == "no work left: nothing runs"


@pytest.mark.parametrize("left", ["in flight", "delayed", "uploads", "enqueue", "ledger"])
def test_nothing_is_let_go_while_anything_is_left(world: World, left: str) -> None:
    working(world, "persistent")
    match left:
        case "in flight":
            world.work(39)
            world.queue().receive(1, wait_seconds=0)
        case "delayed":
            world.work(40)
            world.queue().delayed = 1
        case "uploads":
            world.work(40)
            world.context.uploads.send(["an event"])
        case "enqueue":
            world.work(40)
            world.change_job(enqueues=("e",))
        case "ledger":
            world.work(39)
            world.queue().empty()

    world.tick(4)

    assert steps(world.ec2) == []


def test_a_reading_that_failed_starts_the_count_anew(world: World) -> None:
    working(world, "persistent")
    world.work(40)

    for _ in range(5):
        world.tick(3)
        world.queue().broken = True
        world.tick()
        world.queue().broken = False

    assert steps(world.ec2) == []


def test_a_tick_in_which_ec2_failed_starts_the_count_anew(world: World) -> None:
    working(world, "persistent")
    world.work(40)
    world.tick(3)
    assert world.fleet().empty.readings == 3

    world.ec2.refusals["describe_instances"] = (503, "RequestLimitExceeded")
    world.tick()

    assert world.fleet().empty.readings == 0
    assert world.fleet().sentence.startswith("reconcile failed: ")


def test_a_file_that_comes_while_workers_are_let_end_keeps_them(world: World) -> None:
    working(world, "one-time")
    world.work(40)
    world.tick(10)
    assert world.fleet().draining_since

    world.enqueue("job/late")
    world.tick(3)

    assert steps(world.ec2) == []
    assert world.fleet().draining_since is None


def test_a_request_whose_instance_died_before_the_cancel_starts_none_for_ever(
    world: World,
) -> None:
    """Defect 18 of the Java program: such a request went on starting instances."""
    working(world, "persistent")
    world.work(40)
    for id_ in world.ec2.running:
        world.ec2.end(id_)

    world.tick(40)

    assert live_requests(world.ec2) == []
    assert world.ec2.running == []


def test_replacements_without_tags_are_found_adopted_and_let_go(world: World) -> None:
    working(world, "persistent")
    first = set(world.ec2.running)
    for id_ in first:
        world.ec2.end(id_)
    world.tick(2)
    replacements = set(world.ec2.running)
    assert replacements
    assert not replacements & first

    for id_ in replacements:
        tags = world.ec2.machines[id_].tags
        assert (tags[TAG_STACK], tags[TAG_JOB]) == ("parallelizer", "job")
    assert {each.id for each in world.fleet().instances} == replacements
    world.work(40)
    world.tick(15)

    assert world.ec2.running == []


def strangers(ec2: FakeEc2) -> set[str]:
    return {
        ec2.stranger(),
        ec2.stranger(**{TAG_STACK: "parallelizer", TAG_JOB: "other"}),
        ec2.stranger(**{TAG_STACK: "another", TAG_JOB: "job"}),
        ec2.stranger(Name="somebody's"),
    }


@pytest.mark.parametrize("kind", ["one-time", "persistent"])
def test_the_panic_button_ends_this_jobs_machines_at_once_and_no_others(
    world: World, kind: str
) -> None:
    """Defect 19 of the Java program: it hit every instance of the region."""
    others = strangers(world.ec2)
    working(world, kind)
    mine = set(world.ec2.running) - others
    requests = set(world.ec2.requests)

    world.change_job(stopped=True)
    world.tick()

    assert set(world.ec2.running) == others
    assert world.ec2.changed == mine | (requests if kind == "persistent" else set())
    world.tick(5)
    assert set(world.ec2.running) == others
    assert world.fleet().sentence == "stopped: nothing runs"


def test_a_stopped_job_launches_nothing_and_a_resumed_one_does(world: World) -> None:
    working(world, "one-time")
    world.change_job(stopped=True)
    world.tick(20)
    assert world.ec2.running == []

    world.change_job(stopped=False)
    world.tick()

    assert len(world.ec2.running) == 2


def test_letting_go_touches_nothing_that_is_not_the_jobs(world: World) -> None:
    others = strangers(world.ec2)
    working(world, "persistent")
    world.work(40)

    world.tick(20)

    assert set(world.ec2.running) == others
    assert not world.ec2.changed & others


def test_one_instance_that_ec2_will_not_terminate_does_not_keep_the_others(world: World) -> None:
    working(world, "one-time")
    protected, _ = world.ec2.running
    world.ec2.protected = {protected}
    world.change_job(stopped=True)

    world.tick()

    assert world.ec2.running == [protected]
    assert f"could not terminate {protected}: OperationNotPermitted" in world.fleet().sentence


def test_a_request_that_could_not_be_cancelled_keeps_its_instance_from_being_terminated(
    world: World,
) -> None:
    working(world, "persistent")
    world.ec2.refusals[CANCEL] = (400, "RequestLimitExceeded")
    world.change_job(stopped=True)

    world.tick(2)
    assert TERMINATE not in steps(world.ec2)
    world.ec2.refusals.clear()
    world.tick()

    assert world.ec2.running == []


def test_a_deleted_job_goes_when_its_fleet_is_gone(world: World) -> None:
    job = world.add_job()
    world.enqueue(*[f"job/{number}" for number in range(40)])
    world.tick(2)

    world.change_job(deleting=True)
    world.tick()
    assert world.ec2.running == []
    world.tick(6)

    assert world.registry.jobs() == []
    assert world.queues.removed == {job.queue_url, job.dead_letter_url}
    assert world.ec2.templates == {}


def test_a_job_is_not_deleted_while_a_launch_may_still_come_to_light(world: World) -> None:
    world.add_job()
    world.enqueue("job/1")
    world.ec2.lost_answers = ["create_fleet"]
    world.tick()
    [hidden] = world.ec2.running
    world.ec2.machines[hidden].shown = world.ec2.now.replace(year=2030)
    world.change_job(deleting=True)

    world.tick(3)
    assert world.registry.jobs()
    world.ec2.machines[hidden].shown = world.ec2.now
    world.tick(8)

    assert world.ec2.running == []
    assert world.registry.jobs() == []


def test_a_job_is_not_over_before_objects_of_which_no_event_told_were_looked_for(
    world: World,
) -> None:
    working(world, "one-time", count=4)
    world.s3.put("parallelizer-input", "job/untold", modified=world.ec2.now.timestamp())
    world.work(4)

    world.tick(6)

    assert world.row("job/untold").state == "queued"
    assert steps(world.ec2) == []
