"""SQS in memory: the methods of `aws.sqs.Queue` and `Queues` that the control plane uses."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from botocore.exceptions import EndpointConnectionError

from aws_parallelizer.aws.sqs import Counts, Received
from aws_parallelizer.core.errors import NotFound


class FakeQueue:
    """One queue. What is received stays in flight until it is deleted or `put_back` is called.

    It does not take bodies that hold one of `refused`; `delays` are those of what was sent.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.visible: dict[str, str] = {}
        self.in_flight: dict[str, str] = {}
        self.delayed = 0
        self.delays: list[int] = []
        self.refused: set[str] = set()
        self.broken = False
        self._handles = itertools.count(1)

    def send(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> list[bool]:
        taken = [not any(key in body for key in self.refused) for body in bodies]
        for body in itertools.compress(bodies, taken):
            self.visible[f"handle-{next(self._handles)}"] = body
        self.delays += [delay_seconds] * sum(taken)
        return taken

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
        self.attributes: dict[str, dict[str, str]] = {}

    def at(self, url: str) -> FakeQueue:
        return self.queues.setdefault(url, FakeQueue(url))

    def make(self, name: str, attributes: Mapping[str, str]) -> str:
        url = f"https://sqs.us-east-1.amazonaws.com/000000000000/{name}"
        self.at(url)
        self.attributes[url] = dict(attributes)
        return url

    def arn(self, url: str) -> str:
        if url not in self.queues:
            raise NotFound(f"there is no queue {url}")
        return f"arn:aws:sqs:us-east-1:000000000000:{url.rpartition('/')[2]}"

    def remove(self, url: str) -> None:
        self.removed.add(url)
