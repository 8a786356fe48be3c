"""Launches that EC2 refuses or never answers, under the real SDK: each is sent exactly once."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from fakes.ec2.market import Market
from wire import SdkWorld, sdk  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("sdk")

FLEET, RUN = "create_fleet", "run_instances"
POOLS = (("c7i.large", "subnet-a"), ("c7i.large", "subnet-b"))
KINDS = pytest.mark.parametrize("kind", ["one-time", "persistent"])


@pytest.fixture
def world() -> SdkWorld:
    return SdkWorld()


def wanting(world: SdkWorld, *, files: int = 40, **parameters: object) -> None:
    """A job with work for two instances of one type."""
    world.add_job(instance_type=("c7i.large",), **parameters)
    world.enqueue(*[f"job/{number}" for number in range(files)])


@KINDS
def test_a_launch_that_times_out_though_ec2_carried_it_out_is_sent_once_and_made_once(
    world: SdkWorld, kind: str
) -> None:
    world.ec2.shows_after = timedelta(seconds=90)
    wanting(world, files=20, spot_type=kind)
    world.ec2.lost_answers = [FLEET, RUN]

    world.tick()
    assert world.sent(FLEET, RUN) == 1  # the SDK does not send it again
    world.tick(10)

    assert world.sent(FLEET, RUN) == 2  # we do, a tick later
    assert len(world.ec2.machines) == 1
    assert world.registry.intents("job")[0].instances == tuple(world.ec2.machines)


def test_no_capacity_in_any_pool_as_http_500_is_one_call_a_pool_and_tick(world: SdkWorld) -> None:
    wanting(world, spot_type="persistent")
    world.ec2.refusals[RUN] = (500, "InsufficientInstanceCapacity")

    world.tick()

    assert sorted((call["InstanceType"], call["SubnetId"]) for call in world.ec2.made(RUN)) == [
        *POOLS
    ]
    assert world.fleet().sentence.startswith("no spot capacity in 2 of 2 pools")


def test_a_fleet_that_has_no_capacity_as_http_500_is_one_call(world: SdkWorld) -> None:
    wanting(world)
    world.ec2.refusals[FLEET] = (500, "InsufficientInstanceCapacity")

    world.tick()

    assert world.sent(FLEET) == 1
    assert all(intent.resolved for intent in world.registry.intents("job"))


@KINDS
def test_no_capacity_for_an_hour_is_no_storm_of_calls(world: SdkWorld, kind: str) -> None:
    wanting(world, spot_type=kind)
    world.ec2.market = Market(spare=0)

    world.tick(60)

    assert world.sent(FLEET, RUN) <= 10 * len(POOLS)
    assert len(world.ec2.calls) <= 60 * 4  # it is looked at each minute all the same
    assert ", next try in " in world.fleet().sentence


@KINDS
@pytest.mark.parametrize("code", ["MaxSpotInstanceCountExceeded", "VcpuLimitExceeded"])
def test_a_quota_that_is_used_up_is_asked_for_once_in_minutes_and_keeps_the_workers(
    world: SdkWorld, kind: str, code: str
) -> None:
    wanting(world, spot_type=kind)
    world.tick()
    before = world.sent(FLEET, RUN)
    world.enqueue(*[f"job/more/{number}" for number in range(100)])
    world.ec2.refusals.update({FLEET: (400, code), RUN: (400, code)})

    world.tick(4)

    assert world.sent(FLEET, RUN) == before + 1
    assert len(world.ec2.running) == 2
    assert f"the account's EC2 quota is used up ({code}" in world.fleet().sentence
    world.ec2.refusals.clear()
    world.tick(3)
    assert len(world.ec2.running) == 7


def test_an_account_with_too_many_fleets_gets_its_instances_one_call_each(world: SdkWorld) -> None:
    wanting(world)
    world.ec2.refusals[FLEET] = (400, "MaxFleetCountExceeded")

    world.tick()

    assert (world.sent(FLEET), world.sent(RUN)) == (1, 2)
    assert len(world.ec2.running) == 2


@KINDS
def test_a_spot_price_above_the_maximum_everywhere_is_told_with_both_prices(
    world: SdkWorld, kind: str
) -> None:
    wanting(world, spot_type=kind, max_price=0.01)
    world.ec2.market = Market(prices={POOLS[0]: 0.0374, POOLS[1]: 0.0216})

    world.tick()
    asked = world.sent(FLEET, RUN)
    world.tick(9)

    assert world.sent(FLEET, RUN) == asked == (1 if kind == "one-time" else 2)
    assert world.fleet().sentence == (
        "spot costs more than maxPrice allows ($0.0216 an hour in c7i.large subnet-b, maxPrice is "
        "$0.01), next try in 60 s"
    )
    world.ec2.market.prices.clear()
    world.change_job(
        parameters=msgspec.structs.replace(world.registry.job("job").parameters, max_price=0.05)
    )
    world.tick(2)
    assert len(world.ec2.running) == 2


@KINDS
@pytest.mark.parametrize(
    "code",
    [
        "InvalidAMIID.NotFound",
        "InvalidKeyPair.NotFound",
        "InvalidGroup.NotFound",
        "InvalidSubnetID.NotFound",
        "InvalidParameterValue",  # of the instance profile
    ],
)
def test_what_a_parameter_names_and_is_not_there_is_one_try_until_it_is_changed(
    world: SdkWorld, kind: str, code: str
) -> None:
    wanting(world, spot_type=kind)
    world.ec2.refusals.update({FLEET: (400, code), RUN: (400, code)})

    world.tick()
    world.tick(seconds=5)
    assert world.sent(FLEET, RUN) == 1
    assert f"EC2 refuses to launch ({code}: " in world.fleet().sentence
    world.ec2.refusals.clear()
    changed = msgspec.structs.replace(world.registry.job("job").parameters, key_pair="mine")
    world.change_job(parameters=changed)
    world.tick(seconds=1)

    assert len(world.ec2.running) == 2


def test_without_the_role_for_spot_instances_the_command_that_makes_it_is_told(
    world: SdkWorld,
) -> None:
    wanting(world)
    world.ec2.refusals[FLEET] = (403, "AuthFailure.ServiceLinkedRoleCreationNotPermitted")

    world.tick()

    assert world.sent(FLEET) == 1
    assert world.fleet().sentence.startswith(
        "the account lacks the role for spot instances: run once aws iam "
        "create-service-linked-role --aws-service-name spot.amazonaws.com; launching"
    )


@KINDS
def test_a_launch_that_is_not_allowed_is_told_readably_logged_whole_and_not_repeated_in_a_storm(
    world: SdkWorld, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    wanting(world, spot_type=kind)
    code = "UnauthorizedOperation"
    world.ec2.refusals.update({FLEET: (403, code), RUN: (403, code)})

    world.tick()
    said = world.fleet().sentence
    world.tick(59)

    assert "not authorized to perform: ec2:RunInstances." in said
    assert "decode-authorization-message" in said
    assert "q1Bx" not in said
    assert "q1Bx" * 200 in caplog.text
    assert world.fleet().backoff.configuration
    assert world.sent(FLEET, RUN) <= 12


def test_an_empty_fleet_that_says_nothing_is_no_reason_to_ask_each_minute(
    world: SdkWorld,
) -> None:
    wanting(world)
    world.ec2.market = Market(spare=0)
    answer = {"FleetId": "fleet-1", "Instances": [], "Errors": []}
    world.ec2._create_fleet = lambda _: answer  # type: ignore[method-assign]

    world.tick(60)

    assert world.sent(FLEET) <= 10
    assert "no spot capacity" in world.fleet().sentence


def test_an_instance_that_the_answer_names_twice_is_one(world: SdkWorld) -> None:
    wanting(world, files=20)
    make = world.ec2._create_fleet

    def twice(arguments: dict[str, object]) -> dict[str, object]:
        answer = make(arguments)
        return {**answer, "Instances": answer["Instances"] * 2}

    world.ec2._create_fleet = twice  # type: ignore[method-assign, assignment]
    world.tick(3)

    assert world.sent(FLEET) == 1
    [intent] = world.registry.intents("job")
    assert intent.instances == tuple(world.ec2.running)
