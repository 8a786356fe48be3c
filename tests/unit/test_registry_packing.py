"""Long rows are packed: DynamoDB takes 400 KB an item."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from aws_parallelizer.aws.dynamodb import Key
from aws_parallelizer.aws.registry import Answer, Registry
from aws_parallelizer.core.fleet import Fleet
from fakes.table import FakeTable
from situations import NOW, instance, request

LIMIT = 400_000  # of DynamoDB, for a whole item


@pytest.fixture
def table() -> FakeTable:
    return FakeTable()


@pytest.fixture
def registry(table: FakeTable) -> Registry:
    return Registry(cast("Any", table))


@pytest.mark.parametrize("count", [1, 10_000])
def test_the_row_of_the_largest_fleet_fits_and_is_read_as_it_was_written(
    registry: Registry, table: FakeTable, count: int
) -> None:
    fleet = Fleet(
        job="job",
        observed=NOW,
        instances=tuple(instance(number, request=f"sir-{number}") for number in range(count)),
        requests=tuple(request(number, of=f"i-{number}") for number in range(count)),
    )

    stored = registry.put_fleet(fleet)

    assert registry.fleet("job") == stored
    assert len(table.documents[Key("fleet", "job")].text) < LIMIT


def test_a_long_answer_is_kept_for_its_repetition(registry: Registry) -> None:
    now = datetime.now(UTC)
    answer = Answer(request="r", status=202, body="x" * 100_000, until=now + timedelta(hours=1))

    registry.keep_answer("key", answer)

    assert registry.answer("key", now=now) == answer
