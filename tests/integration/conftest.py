"""What tests on real worker processes share."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import faulty
from aws_parallelizer.aws.dynamodb import Table
from emulator import make_table
from faulty import Faults
from machines import Machine, Site
from proxy import Proxy


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    """Starts machines that end with the test."""
    machines: list[Machine] = []

    def started(site: Site, **more: Any) -> Machine:
        machines.append(Machine(site, tmp_path / str(len(machines)), **more))
        return machines[-1]

    yield started
    for machine in machines:
        machine.close()


@pytest.fixture
def dynamodb(endpoint: str) -> Faults:
    """The emulator's DynamoDB, which a test may break."""
    return faulty.client("dynamodb", endpoint)


@pytest.fixture
def table(dynamodb: Faults) -> Table:
    """A new table on it."""
    name = f"ledger-{uuid.uuid4()}"
    make_table(dynamodb.client, name)
    return Table(dynamodb.client, name=name)


@pytest.fixture
def proxy(endpoint: str) -> Iterator[Proxy]:
    """A proxy in front of the emulator."""
    made = Proxy(endpoint)
    yield made
    made.close()
