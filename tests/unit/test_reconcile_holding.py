"""Reconcile keeps a paused or spent job still, and can say what it would do without doing it."""

from __future__ import annotations

import msgspec
import pytest

from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.aws.ec2_setup import Ec2Setup
from chalicelib.actions import Launch, in_words
from chalicelib.metering import Meter
from chalicelib.metrics import Log
from chalicelib.readings import Readings
from chalicelib.tick import Tick
from fleets import World


@pytest.fixture
def world() -> World:
    return World()


def test_a_paused_job_launches_nothing_and_a_resumed_one_does(world: World) -> None:
    world.add_job()
    world.enqueue("job/1")
    world.change_job(paused=True)

    world.tick(5)
    assert world.ec2.machines == {}
    assert world.fleet().sentence == "paused: nothing runs, 1 task in the queue"
    world.change_job(paused=False)
    world.tick()

    assert len(world.ec2.running) == 1


def test_a_pause_ends_nobodys_work(world: World) -> None:
    world.add_job(spot_type="persistent")
    world.enqueue(*[f"job/{number}" for number in range(40)])
    world.tick(2)
    before = set(world.ec2.running)

    world.change_job(paused=True)
    world.tick(20)

    assert set(world.ec2.running) == before
    assert world.ec2.changed == set()


def test_a_plan_can_be_seen_without_being_carried_out(world: World) -> None:
    job = world.add_job()
    world.enqueue(*[f"job/{number}" for number in range(100)])
    rows = dict(world.table.documents)
    ec2 = Ec2(world.ec2, launcher=world.ec2)
    readings = Readings(world.context, job, uploads=0)

    meter = Meter(world.ec2, world.registry, world.context.now)

    tick = Tick(world.context, job, ec2, Ec2Setup(world.ec2), readings, meter, Log("parallelizer"))
    plan = tick.preview()

    assert plan.actions == (Launch(count=5),)
    assert in_words(plan) == [
        "launching 5 instances: 100 tasks in the queue, 0 of 5 instances there",
        "  launch 5 spot instances",
    ]
    assert {operation for operation, _ in world.ec2.calls} <= {
        "describe_instances",
        "describe_spot_instance_requests",
    }
    assert world.table.documents == rows


def test_workers_outlive_an_empty_job_where_its_owner_says_so(world: World) -> None:
    world.add_job(should_shutdown=False)
    world.enqueue("job/1")
    world.tick(2)
    world.work(1)

    world.tick(30)

    assert len(world.ec2.running) == 1
    assert "shouldShutdown is false" in world.fleet().sentence
    parameters = world.registry.job("job").parameters
    world.change_job(parameters=msgspec.structs.replace(parameters, should_shutdown=True))
    world.tick(10)
    assert world.ec2.running == []
