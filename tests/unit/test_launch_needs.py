"""What a launch needs is missing, or comes otherwise than asked for: told, and not repeated."""

from __future__ import annotations

import json
import logging

import msgspec
import pytest

from aws_parallelizer.core.fleet import Backoff, Refusal
from aws_parallelizer.core.launch_data import MAKE_SPOT_ROLE
from chalicelib import refusals
from fakes.ec2.market import Market
from fakes.faults import WORDS
from fleets import START, World

LAUNCHES = ("create_fleet", "run_instances")
TOO_LOW = (
    "Your Spot request price of 0.02 is lower than the minimum required Spot request fulfillment "
    "price of"
)
POOL, OTHER = ("c7i.large", "subnet-a"), ("c7i.large", "subnet-b")


@pytest.fixture
def world() -> World:
    return World()


def wanting(world: World, **parameters: object) -> None:
    world.add_job(instance_type=("c7i.large",), **parameters)
    world.enqueue("job/1", "job/2")


@pytest.mark.parametrize("kind", ["one-time", "persistent"])
def test_where_every_pool_is_left_alone_no_launch_without_a_pool_is_sent(
    world: World, kind: str
) -> None:
    wanting(world, spot_type=kind)
    world.tick()
    world.enqueue(*[f"job/more/{number}" for number in range(98)])
    until = Backoff(failures=3, until=world.ec2.now.replace(hour=13), kind="capacity")
    held = {" ".join(pool): until for pool in (POOL, OTHER)}
    world.registry.put_fleet(msgspec.structs.replace(world.fleet(), held=held))
    before = len(world.ec2.made(*LAUNCHES))

    world.tick()

    assert len(world.ec2.made(*LAUNCHES)) == before
    assert "no spot capacity in 2 of 2 pools" in world.fleet().sentence


@pytest.mark.parametrize(
    ("subnets", "said"),
    [
        (None, "there is no default VPC: set subnets"),
        (("subnet-x", "subnet-y"), "there is none of the subnets subnet-x, subnet-y: set subnets"),
    ],
)
def test_without_a_subnet_nothing_is_launched_and_never_somewhere_else(
    world: World, subnets: tuple[str, ...] | None, said: str
) -> None:
    wanting(world, subnets=subnets)
    world.ec2.describe_subnets = lambda **_: {"Subnets": []}  # type: ignore[method-assign]

    world.tick(3)

    assert world.ec2.made(*LAUNCHES) == []
    assert said in world.fleet().sentence
    assert world.fleet().backoff.configuration


def test_the_subnets_that_are_named_are_asked_for_and_no_others(world: World) -> None:
    wanting(world, subnets=("subnet-a",))
    world.tick()
    assert world.ec2.made("describe_subnets")[0] == {"SubnetIds": ["subnet-a"]}


def test_on_demand_given_for_spot_is_told_logged_as_an_error_and_counted_for_an_alarm(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    wanting(world)
    world.ec2.gives_on_demand = True
    world.tick()
    [dear] = world.ec2.running
    world.ec2.gives_on_demand = False
    capsys.readouterr()

    world.tick()

    assert f"EC2 gave on-demand for spot, which is ended: {dear}" in world.fleet().sentence
    told = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert [dear in each.getMessage() for each in told] == [True]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["OnDemandForSpot"] for line in lines} == {1}
    world.tick(3)
    assert dear not in world.ec2.running
    assert "on-demand for spot" not in world.fleet().sentence
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "OnDemandForSpot" not in last


def test_on_demand_that_was_asked_for_rings_no_alarm(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    wanting(world, on_demand_after=1)
    world.ec2.market = Market(spare=0)

    world.tick(10)

    assert len(world.ec2.running) == 1
    assert "OnDemandForSpot" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            [
                (f"{TOO_LOW} 0.0374.", "c7i.large subnet-a"),
                (f"{TOO_LOW} 0.0216.", "m7i.large subnet-b"),
            ],
            "$0.0216 an hour in m7i.large subnet-b, maxPrice is $0.02",
        ),
        ([("too low", "")], "SpotMaxPriceTooLow: too low"),
    ],
)
def test_of_prices_that_are_all_too_high_the_lowest_is_told(
    told: list[tuple[str, str]], said: str
) -> None:
    refused = [Refusal("SpotMaxPriceTooLow", words, pool) for words, pool in told]
    sentence = refusals.sentence(refused, pools=len(refused))
    assert sentence == f"spot costs more than maxPrice allows ({said})"


def test_a_price_that_is_too_low_is_tried_again_after_ten_minutes_at_the_earliest() -> None:
    refused = [Refusal("SpotMaxPriceTooLow", "too low", "c7i.large subnet-a")]
    backoff = refusals.after_refusal(Backoff(), refused, pools=1, configuration="c", now=START)
    assert backoff.until
    assert (backoff.until - START).total_seconds() == 600


def test_the_missing_role_is_told_by_the_command_that_makes_it() -> None:
    code = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
    sentence = refusals.sentence([Refusal(code, WORDS[code])], pools=6)
    assert sentence.endswith(f"run once {MAKE_SPOT_ROLE}")


def test_what_only_aws_can_read_is_cut_out_of_a_refusal() -> None:
    code = "UnauthorizedOperation"
    sentence = refusals.sentence([Refusal(code, WORDS[code])], pools=6)
    assert "q1Bx" not in sentence
    assert sentence.endswith("the log has what `aws sts decode-authorization-message` decodes)")
    assert len(sentence) < 400
    plain = refusals.sentence([Refusal(code, "No.")], pools=6)
    assert plain == "EC2 refuses to launch (UnauthorizedOperation: No.)"


@pytest.mark.parametrize("code", ["InternalError", "ServiceUnavailable", "Unavailable"])
def test_a_pool_in_which_ec2_failed_is_no_wrong_configuration(code: str) -> None:
    assert refusals.class_of(Refusal(code, "")) is refusals.Class.THROTTLE
