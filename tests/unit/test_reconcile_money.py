"""Reconcile counts what a fleet costs, keeps to budgets, tells topics and speaks to alarms."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from aws_parallelizer.core.errors import Conflict
from aws_parallelizer.core.spending import PriceList
from fleets import World

TOPIC = "arn:aws:sns:us-east-1:000000000000:told"


@pytest.fixture
def world() -> World:
    return World()


def busy(world: World, count: int = 1, **parameters: Any) -> None:
    world.add_job(**parameters)
    world.enqueue(*(f"job/{i}" for i in range(count)))
    world.tick(2)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The metrics that were written since the last call."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_fleet_costs_its_machines_time_at_the_spot_price(world: World) -> None:
    busy(world)
    [machine] = world.ec2.machines.values()
    world.tick(60)
    hours = (world.ec2.now - machine.launched).total_seconds() / 3600
    assert world.fleet().spending.dollars == pytest.approx(0.03 * hours)
    assert world.fleet().spending.hourly == pytest.approx(0.03)


def test_a_tick_whose_row_another_one_wrote_counts_nothing(world: World) -> None:
    busy(world)
    stale = world.fleet()
    world.tick(10)
    counted = world.fleet().spending
    with pytest.raises(Conflict):
        world.registry.put_fleet(stale)
    assert world.fleet().spending == counted


def test_the_cost_of_a_fleet_that_is_gone_stays(world: World) -> None:
    busy(world)
    world.tick(30)
    world.work(1)
    world.tick(30)
    assert world.ec2.running == []
    spent = world.fleet().spending
    assert spent.dollars > 0.014
    world.tick(3, seconds=6 * 3600)
    after = world.fleet().spending
    assert (after.dollars, after.uptimes) == (spent.dollars, ())


def test_prices_that_cannot_be_read_stop_no_tick(world: World) -> None:
    world.ec2.refusals["describe_spot_price_history"] = (503, "RequestLimitExceeded")
    busy(world)
    assert len(world.ec2.running) == 1
    assert world.fleet().spending.dollars == 0
    world.ec2.refusals.clear()
    world.tick()
    assert world.fleet().spending.dollars > 0


def test_a_spent_budget_stops_launches_and_says_so(world: World) -> None:
    busy(world, 400, max_instances=4, budget=0.05)
    launched = set(world.ec2.machines)
    world.tick(60)
    fleet = world.fleet()
    assert fleet.spending.dollars >= 0.05
    assert "budget" in fleet.sentence
    assert world.registry.job("job").hold
    for id_ in world.ec2.running:
        world.ec2.end(id_)
    world.tick(2)
    spent = world.fleet().spending.dollars
    world.tick(20)
    assert set(world.ec2.machines) == launched
    assert world.ec2.changed <= launched
    assert world.fleet().spending.dollars == spent


def starve(world: World, **parameters: Any) -> None:
    """No spot capacity, until on-demand instances would take over."""
    world.ec2.market.spare = 0
    world.add_job(on_demand_after=5, instance_type=("c7i.large", "c7i.4xlarge"), **parameters)
    world.enqueue("job/1")
    world.tick(40)


def test_under_a_budget_nothing_without_a_price_is_launched_on_demand(world: World) -> None:
    starve(world, budget=5.0)
    assert world.ec2.machines == {}
    assert "no price is known for c7i.4xlarge, c7i.large" in world.fleet().sentence


def test_under_a_budget_types_with_a_price_are_launched_on_demand(world: World) -> None:
    prices = {"c7i.4xlarge": 0.7}
    world.registry.put_prices(PriceList(region="us-east-1", read=world.ec2.now, on_demand=prices))
    starve(world, budget=5.0)
    assert {each.type for each in world.ec2.machines.values()} == {"c7i.4xlarge"}
    assert world.fleet().spending.hourly == pytest.approx(0.7)


def test_without_a_budget_an_unknown_price_stops_nothing_and_is_named(world: World) -> None:
    starve(world)
    [machine] = world.ec2.machines.values()
    assert world.fleet().spending.unpriced == (machine.type,)


def drained(world: World) -> None:
    world.work(1)
    world.tick(15)
    assert world.ec2.running == []


def test_a_job_that_drains_twice_is_told_twice(world: World) -> None:
    busy(world, notify=TOPIC)
    drained(world)
    assert world.sns.events == ["drained"]
    world.tick(30)
    assert world.sns.events == ["drained"]
    world.enqueue("job/later")
    world.tick(2)
    drained(world)
    assert world.sns.events == ["drained", "drained"]
    assert "1 done" not in world.sns.sent[1]["Message"]
    assert "2 done" in world.sns.sent[1]["Message"]


def test_a_stopped_job_is_told_when_all_is_gone(world: World) -> None:
    busy(world, notify=TOPIC)
    world.change_job(stopped=True)
    world.tick(10)
    assert world.sns.events == ["stopped"]
    assert "$0." in world.sns.sent[0]["Message"]


def test_a_spent_budget_is_told_once(world: World) -> None:
    busy(world, 400, notify=TOPIC, budget=0.01)
    world.tick(60)
    assert world.sns.events == ["budget"]
    parameters = world.registry.job("job").parameters
    for budget in (100.0, 0.02):
        world.change_job(parameters=msgspec.structs.replace(parameters, budget=budget))
        world.tick(2)
    assert world.sns.events == ["budget", "budget"]


def test_a_wrong_image_is_told_once_and_again_after_it_was_right(world: World) -> None:
    busy(world, notify=TOPIC, image_id="ami-wrong")
    world.tick(30)
    assert world.sns.events == ["configuration"]
    assert (
        "ami-wrong" in world.sns.sent[0]["Message"] or "InvalidAMI" in world.sns.sent[0]["Message"]
    )
    parameters = world.registry.job("job").parameters
    world.change_job(parameters=msgspec.structs.replace(parameters, image_id="ami-1"))
    world.tick(3)
    assert len(world.ec2.running) == 1
    assert world.sns.events == ["configuration"]


def test_a_topic_that_fails_is_said_and_told_later_and_stops_nothing(world: World) -> None:
    world.sns.broken[TOPIC] = "NotFound"
    busy(world, notify=TOPIC)
    drained(world)
    fleet = world.fleet()
    assert (world.sns.events, fleet.untold, fleet.told) == ([], ("drained",), ())
    assert "notify could not be told" in fleet.sentence
    world.sns.broken.clear()
    world.tick()
    assert world.sns.events == ["drained"]
    assert world.fleet().untold == ()
    assert "notify" not in world.fleet().sentence


def test_a_job_without_a_topic_asks_nobody(world: World) -> None:
    world.sns.broken[TOPIC] = "NotFound"
    busy(world)
    drained(world)
    assert (world.fleet().told, world.fleet().untold) == ((), ())


def test_a_job_without_tasks_is_not_told_that_it_drained(world: World) -> None:
    world.add_job(notify=TOPIC)
    world.tick(20)
    assert world.sns.events == []


def test_each_run_says_its_numbers_and_each_job_that_has_some(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.add_job("idle")
    busy(world, 100)
    capsys.readouterr()
    world.tick()
    jobs = {line.get("Job"): line for line in lines(capsys)}
    assert jobs.keys() == {"job", None}
    assert jobs["job"]["RunningInstances"] == len(world.ec2.running) > 0
    assert jobs["job"]["QueueDepth"] == 100
    assert jobs[None]["JobsStuck"] == 0


def test_launches_and_refusals_are_counted_in_the_tick_that_made_them(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.ec2.market.spare = 1
    world.add_job()
    world.enqueue(*(f"job/{i}" for i in range(100)))
    world.tick()
    [line] = [line for line in lines(capsys) if line.get("Job") == "job"]
    assert line["Launched"] == 1
    assert line["RefusedCapacity"] >= 1


def stuck(world: World, capsys: pytest.CaptureFixture[str], minutes: int) -> bool:
    capsys.readouterr()
    world.tick(minutes)
    runs = [line for line in lines(capsys) if "Job" not in line]
    return bool(runs[-1]["JobsStuck"])


def test_a_job_without_capacity_is_stuck_after_half_an_hour(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.ec2.market.spare = 0
    world.add_job()
    world.enqueue("job/1")
    assert not stuck(world, capsys, 29)
    assert stuck(world, capsys, 5)


def test_a_job_whose_tasks_end_is_not_stuck(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.add_job()
    world.enqueue(*(f"job/{i}" for i in range(8)))
    for _ in range(6):
        assert not stuck(world, capsys, 20)
        world.work(1)


@pytest.mark.parametrize("change", [{"paused": True}, {"stopped": True}])
def test_a_job_that_a_person_holds_is_not_stuck(
    world: World, capsys: pytest.CaptureFixture[str], change: dict[str, bool]
) -> None:
    world.ec2.market.spare = 0
    world.add_job()
    world.enqueue("job/1")
    world.tick(20)
    world.change_job(**change)
    assert not stuck(world, capsys, 60)


def test_a_job_whose_every_tick_fails_is_stuck_too(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.ec2.refusals["describe_instances"] = (403, "UnauthorizedOperation")
    world.add_job()
    world.enqueue("job/1")
    assert not stuck(world, capsys, 29)
    assert stuck(world, capsys, 5)
