"""All SQS queues of an account in memory: the methods of `aws.sqs.Queues`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from aws_parallelizer.core.errors import NotFound
from fakes.queue import FakeQueue


class FakeQueues:
    """All queues of an account, made when they are first spoken of."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.queues: dict[str, FakeQueue] = {}
        self.removed: set[str] = set()
        self.attributes: dict[str, dict[str, str]] = {}

    def at(self, url: str) -> FakeQueue:
        if url not in self.queues:
            self.queues[url] = FakeQueue(url, clock=self._clock)
        return self.queues[url]

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
