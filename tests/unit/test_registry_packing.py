"""Long rows are packed: DynamoDB takes 400 KB an item."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest

from aws_parallelizer.aws.dynamodb import Key
from aws_parallelizer.aws.registry import Answer, Registry
from aws_parallelizer.core import money
from aws_parallelizer.core.fleet import Fleet
from aws_parallelizer.core.money import Prices
from aws_parallelizer.core.spending import Spending
from chalicelib import remembering
from chalicelib.actions import Plan
from chalicelib.holdings import Holdings
from fakes.table import FakeTable
from situations import NOW, instance, request

LIMIT = 400_000  # of DynamoDB, for a whole item


@pytest.fixture
def table() -> FakeTable:
    return FakeTable()


@pytest.fixture
def registry(table: FakeTable) -> Registry:
    return Registry(cast("Any", table))


def name(kind: str, length: int) -> str:
    """As random as EC2's: such names do not pack well."""
    return f"{kind}-{uuid.uuid4().hex[:length]}"


def huge() -> Fleet:
    """As large as reconcile lets a row become."""
    ids = [name("i", 17) for _ in range(10_000)]
    holdings = Holdings(
        now=NOW,
        instances=tuple(
            msgspec.structs.replace(
                instance(number, request=name("sir", 8), launch=uuid.uuid4().hex), id=id_
            )
            for number, id_ in enumerate(ids)
        ),
        requests=tuple(
            msgspec.structs.replace(request(number, of=id_), id=name("sir", 8))
            for number, id_ in enumerate(ids)
        ),
    )
    spending = money.observed(Spending(), holdings.instances, now=NOW, since=NOW)
    return remembering.seen(
        Fleet(job="job", observed=NOW, spending=money.charged(spending, Prices())),
        holdings,
        Plan(sentence="many instances"),
        job_version=1,
    )


@pytest.mark.parametrize("fleet", [Fleet(job="job", observed=NOW), huge()], ids=["small", "huge"])
def test_the_row_of_the_largest_fleet_fits_and_is_read_as_it_was_written(
    registry: Registry, table: FakeTable, fleet: Fleet
) -> None:

    stored = registry.put_fleet(fleet)

    assert registry.fleet("job") == stored
    assert len(table.documents[Key("fleet", "job")].text) < LIMIT / 2
    assert sum(stored.states.values()) in (0, 10_000)


def test_a_long_answer_is_kept_for_its_repetition(registry: Registry) -> None:
    now = datetime.now(UTC)
    answer = Answer(request="r", status=202, body="x" * 100_000, until=now + timedelta(hours=1))

    registry.keep_answer("key", answer)

    assert registry.answer("key", now=now) == answer
