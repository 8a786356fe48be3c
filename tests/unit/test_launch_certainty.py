"""Launches of which it is not known what became: none is made twice, none is forgotten."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import msgspec
import pytest

from aws_parallelizer.aws.clients import CALL_FAILED
from fakes.ec2 import Crash, Fault
from fleets import World

FLEET = "create_fleet"


@pytest.fixture
def world() -> World:
    return World()


def one_wanted(world: World, **parameters: object) -> None:
    world.add_job(**parameters)
    world.enqueue("job/1", "job/2")


def test_when_the_holder_of_the_lease_dies_half_way_the_next_one_goes_on_from_its_intent(
    world: World,
) -> None:
    one_wanted(world)
    world.ec2.crashes = [FLEET]
    with pytest.raises(Crash):
        world.tick()
    [intent] = world.registry.intents("job")

    world.tick(4)  # the lease still stands
    assert world.ec2.made(FLEET) == []
    world.tick(4)

    [call] = world.ec2.made(FLEET)
    assert call["ClientToken"] == intent.id
    assert world.ec2.running == list(world.registry.intents("job")[0].instances)


def test_a_token_that_ec2_knows_from_another_call_is_not_sent_again_and_settled_by_its_tag(
    world: World,
) -> None:
    world.ec2.shows_after = timedelta(seconds=90)
    one_wanted(world)
    world.ec2.lost_answers = [FLEET]
    world.tick()
    [intent] = world.registry.intents("job")
    other = intent.arguments.replace("price-capacity-optimized", "lowest-price")
    assert other != intent.arguments
    world.registry.put_intent(msgspec.structs.replace(intent, arguments=other))

    world.tick(20)

    assert len(world.ec2.made(FLEET)) == 2  # the launch, and the one that EC2 did not take for it
    assert len(world.ec2.machines) == 1
    [settled] = world.registry.intents("job")
    assert settled.resolved
    assert settled.instances == tuple(world.ec2.running)
    assert world.fleet().sentence == "2 tasks in the queue, 1 of 1 instance there"


def test_a_token_that_ec2_knows_from_another_call_which_launched_nothing_is_made_up_for(
    world: World,
) -> None:
    one_wanted(world)
    world.ec2.refusals[FLEET] = (400, "IdempotentParameterMismatch")

    world.tick()
    world.ec2.refusals.clear()
    world.tick(3)
    assert world.ec2.machines == {}  # it may still show
    world.tick(4)

    assert len(world.ec2.running) == 1
    assert len({call["ClientToken"] for call in world.ec2.made(FLEET)}) == 2


def test_what_a_late_repetition_launched_is_not_launched_again_while_it_is_hidden(
    world: World,
) -> None:
    world.ec2.shows_after = timedelta(seconds=90)
    one_wanted(world)
    world.ec2.refusals[FLEET] = (500, "InternalError")
    world.tick(8)
    world.ec2.refusals.clear()

    world.tick(5)

    assert len(world.ec2.machines) == 1


def test_a_late_repetition_whose_answer_is_lost_is_given_its_time_to_show(world: World) -> None:
    world.ec2.shows_after = timedelta(seconds=90)
    one_wanted(world)
    world.ec2.refusals[FLEET] = (500, "InternalError")
    world.tick(9)
    world.ec2.refusals.clear()
    world.ec2.lost_answers = [FLEET]

    world.tick(15)

    assert len(world.ec2.machines) == 1
    [intent] = world.registry.intents("job")
    assert intent.instances == tuple(world.ec2.running)


def test_a_launch_that_is_hidden_for_90_seconds_counts_by_its_intent(world: World) -> None:
    world.ec2.shows_after = timedelta(seconds=90)
    one_wanted(world)

    world.tick()
    world.tick(8, seconds=10)

    assert len(world.ec2.machines) == 1
    assert world.fleet().instances == ()
    assert world.fleet().sentence == "2 tasks in the queue, 1 of 1 instance there"


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.INTERNAL, Fault.UNREACHED])
def test_a_ledger_that_cannot_be_written_fails_the_tick_before_anything_is_asked_of_ec2(
    world: World, fault: Fault
) -> None:
    """At any call of the tick, until one gets as far as the launch."""
    one_wanted(world)
    for call in range(1, 30):
        world.faults.next(call, fault)
        with contextlib.suppress(*CALL_FAILED):  # of the lease: then the whole run fails
            world.tick()
        launched = len(world.ec2.machines)
        assert launched == len({each["ClientToken"] for each in world.ec2.made(FLEET)})
        assert len(world.registry.intents("job")) >= launched
        if launched:
            break
    world.faults.cease()
    world.tick(3)
    assert len(world.ec2.machines) == 1


def test_an_intent_whose_row_was_deleted_by_hand_does_not_count_and_what_it_made_does(
    world: World,
) -> None:
    one_wanted(world)
    world.ec2.lost_answers = [FLEET]
    world.tick()
    [intent] = world.registry.intents("job")
    assert world.registry.remove_intent(intent)

    world.tick(5)

    assert len(world.ec2.machines) == 1


def test_an_intent_whose_row_is_deleted_during_its_launch_fails_the_tick_and_launches_once(
    world: World,
) -> None:
    one_wanted(world)
    make = world.ec2.create_fleet

    def deleting(**arguments: object) -> object:
        for intent in world.registry.intents("job"):
            world.registry.remove_intent(intent)
        return make(**arguments)

    world.ec2.create_fleet = deleting  # type: ignore[method-assign, assignment]
    world.tick()
    assert "was changed by another tick" in world.fleet().sentence
    world.tick(5)

    assert len(world.ec2.machines) == 1
    assert world.fleet().sentence == "2 tasks in the queue, 1 of 1 instance there"


def test_a_fleet_row_that_was_deleted_by_hand_is_made_anew_and_nothing_is_launched_twice(
    world: World,
) -> None:
    one_wanted(world)
    world.tick(2)
    key = next(key for key in world.table.documents if key.partition == "fleet")
    del world.table.documents[key]

    world.tick(5)

    assert len(world.ec2.machines) == 1
    assert len(world.fleet().instances) == 1


def test_a_fleet_row_that_is_deleted_during_a_tick_stops_it_before_it_acts(world: World) -> None:
    one_wanted(world)
    world.tick()
    world.enqueue(*[f"job/more/{number}" for number in range(98)])
    describe = world.ec2.describe_instances

    def deleting(**arguments: object) -> object:
        for key in [key for key in world.table.documents if key.partition == "fleet"]:
            del world.table.documents[key]
        return describe(**arguments)

    world.ec2.describe_instances = deleting  # type: ignore[method-assign, assignment]
    world.tick()
    assert len(world.ec2.made(FLEET)) == 1
    world.ec2.describe_instances = describe  # type: ignore[method-assign]
    world.tick()

    assert len(world.ec2.running) == 5
