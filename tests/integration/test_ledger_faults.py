"""What reconcile writes when DynamoDB throttles, or carries a write out and its answer is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.core.errors import Conflict
from aws_parallelizer.core.fleet import Intent
from chalicelib import reconcile
from faulty import Faults
from fleets import World

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
THROTTLED = "ProvisionedThroughputExceededException"
MANY = 50  # more than the SDK and we try


@pytest.fixture
def registry(table: Table) -> Registry:
    return Registry(table)


def intent(name: str = "a") -> Intent:
    return Intent(id=name, job="job", count=1, created=NOW, call="create_fleet", arguments="{}")


def test_an_intent_whose_write_was_answered_by_nobody_is_recognised_as_ours(
    registry: Registry, dynamodb: Faults
) -> None:
    dynamodb.lose("PutItem")  # the SDK sends it again, and meets what it wrote

    stored = registry.put_intent(intent())

    assert dynamodb.sent["PutItem"] == 2
    assert registry.intents("job") == [stored]


def test_an_intent_that_another_tick_wrote_is_not_taken_for_ours(
    registry: Registry, dynamodb: Faults
) -> None:
    registry.put_intent(intent())
    dynamodb.lose("PutItem")
    with pytest.raises(Conflict):
        registry.put_intent(
            Intent(id="a", job="job", count=2, created=NOW, call="create_fleet", arguments="{}")
        )


@pytest.mark.parametrize("again", [False, True])
def test_a_lease_whose_write_was_answered_by_nobody_is_held_and_keeps_others_out(
    registry: Registry, dynamodb: Faults, again: bool
) -> None:
    if again:
        registry.take_lease("reconcile", owner="earlier", now=NOW - timedelta(days=1), seconds=310)
    dynamodb.lose("BatchExecuteStatement" if again else "PutItem")

    held = registry.take_lease("reconcile", owner="a", now=NOW, seconds=310)

    assert held
    assert held.fence == (2 if again else 1)
    assert registry.take_lease("reconcile", owner="b", now=NOW, seconds=310) is None


class LedgerWorld(World):
    """The fakes, but for the ledger's table."""

    def __init__(self, table: Table) -> None:
        super().__init__(table=cast("Any", table))


@pytest.mark.parametrize("operation", ["PutItem", "BatchExecuteStatement", "Query"])
def test_a_table_that_throttles_fails_the_tick_visibly_and_asks_nothing_of_ec2_unwritten(
    table: Table, dynamodb: Faults, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aws_parallelizer.aws.dynamodb.time.sleep", lambda _seconds: None)
    world = LedgerWorld(table)
    world.add_job()
    world.enqueue("job/1", "job/2")
    world.tick()  # the rows are there
    world.work(2)
    world.enqueue(*[f"job/more/{number}" for number in range(100)])
    launched = len(world.ec2.made("create_fleet"))
    dynamodb.fail(operation, THROTTLED, times=MANY)

    failed = False
    try:
        world.ec2.pass_time(60)
        with world.faults.process():
            reconcile.run(world.context)
    except CALL_FAILED:
        failed = True  # the whole run: Lambda counts an error, and an alarm rings

    assert failed or world.fleet().sentence.startswith("reconcile failed: ")
    assert len(world.ec2.made("create_fleet")) == launched
    assert world.ec2.changed == set()
    dynamodb.forgive()
    world.tick(8)  # a lease that could not be given back runs out
    assert len(world.ec2.running) == 5
