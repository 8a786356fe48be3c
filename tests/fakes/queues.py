"""SQS in memory: the methods of `aws.sqs.Queue` and `Queues` that the control plane uses."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from botocore.exceptions import EndpointConnectionError

from aws_parallelizer.aws.sqs import Counts, Received


class FakeQueue:
    """One queue. What is received stays in flight until it is deleted or `put_back` is called."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.visible: dict[str, str] = {}
        self.in_flight: dict[str, str] = {}
        self.delayed = 0
        self.broken = False
        self._handles = itertools.count(1)

    def send(self, bodies: Sequence[str]) -> list[bool]:
        for body in bodies:
            self.visible[f"handle-{next(self._handles)}"] = body
        return [True] * len(bodies)

    def receive(
        self, limit: int, *, wait_seconds: int, lease_seconds: int | None = None
    ) -> list[Received]:
        taken = list(itertools.islice(self.visible, min(limit, 10)))
        for handle in taken:
            self.in_flight[handle] = self.visible.pop(handle)
        return [
            Received(body=self.in_flight[handle], handle=handle, message_id=handle, receives=21)
            for handle in taken
        ]

    def delete(self, handles: Sequence[str]) -> list[bool]:
        for handle in handles:
            self.in_flight.pop(handle, None)
        return [True] * len(handles)

    def counts(self) -> Counts:
        if self.broken:
            raise EndpointConnectionError(endpoint_url=self.url)
        return Counts(len(self.visible), len(self.in_flight), self.delayed)

    def put_back(self) -> None:
        """All leases run out."""
        self.visible.update(self.in_flight)
        self.in_flight.clear()

    def empty(self) -> None:
        """All messages are gone, worked off or lost."""
        self.visible.clear()
        self.in_flight.clear()


class FakeQueues:
    """All queues of an account, made when they are first spoken of."""

    def __init__(self) -> None:
        self.queues: dict[str, FakeQueue] = {}
        self.removed: set[str] = set()

    def at(self, url: str) -> FakeQueue:
        return self.queues.setdefault(url, FakeQueue(url))

    def remove(self, url: str) -> None:
        self.removed.add(url)
