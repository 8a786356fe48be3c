"""Everything that an operation needs, wired in one place and handed in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.aws.s3 import S3
from aws_parallelizer.aws.sqs import Queue, Queues
from chalicelib.settings import Settings


class Clients(Protocol):
    """Gives a service's client; `attempts=1` for calls that must never be sent twice."""

    def __call__(self, service: str, *, attempts: int = 5) -> Any:
        """The client."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """One stack, as the operations see it. `now` is in UTC."""

    settings: Settings
    registry: Registry
    ledger: Ledger
    s3: S3
    queues: Queues
    client: Clients
    now: Callable[[], datetime]

    def queue(self, url: str) -> Queue:
        """The queue of an URL."""
        return self.queues.at(url)

    @property
    def uploads(self) -> Queue:
        """The queue that S3 tells of new objects."""
        return self.queue(self.settings.uploads_queue_url)

    @property
    def steps(self) -> Queue:
        """The queue of nudges and of work that goes on in the background."""
        return self.queue(self.settings.steps_queue_url)


def connect(settings: Settings) -> Context:
    """The context of a deployed stack; makes clients, calls nothing."""

    @functools.cache
    def client(service: str, *, attempts: int = 5) -> Any:
        return clients.client(service, region=settings.aws_region, attempts=attempts)

    table = Table(client("dynamodb"), name=settings.ledger_table)
    return Context(
        settings=settings,
        registry=Registry(table),
        ledger=Ledger(table),
        s3=S3(client("s3")),
        queues=Queues(client("sqs")),
        client=client,
        now=lambda: datetime.now(UTC),
    )
