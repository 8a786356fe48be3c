"""The services as one worker reaches them: every call takes time, and may break on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from aws_parallelizer.aws.dynamodb import Document, Key
from aws_parallelizer.aws.object_errors import ObjectFailure
from aws_parallelizer.aws.objects import Fetched, Made, Stored
from aws_parallelizer.aws.sqs import Received
from fakes.faults import Fault, refused
from fakes.objects import FakeObjects
from fakes.queue import FakeQueue
from fakes.table import FakeTable
from lives import clockwork

R = TypeVar("R")
Way = Generator[float, None, R]  # of a call: yields the seconds that it takes

WAY_SECONDS = 0.01  # to a service, and back
_GIVEN_UP_SECONDS = 60.0  # the SDK's patience with an answer
_FOR_EVER = 1e9
_ENDPOINT = "https://us-east-1.amazonaws.com"


@dataclass(frozen=True)
class Mishap:
    """What befalls one call: a fault, or so many seconds more on its way there or back."""

    fault: Fault | None = None
    there: float = 0
    back: float = 0


@dataclass
class Line:
    """All calls of all workers, numbered; what is to befall them by number. `storms` are services
    that refuse everything until a time.
    """

    clock: Callable[[], float]
    plan: dict[int, Mishap] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    storms: dict[str, float] = field(default_factory=dict)

    def next(self, service: str, operation: str) -> Mishap:
        self.log.append(operation)
        if self.storms.get(service, 0) > self.clock():
            return Mishap(Fault.THROTTLED)
        return self.plan.pop(len(self.log), Mishap())


class Wire:
    """One worker's way to the services. A worker that is killed waits for ever for its answers,
    one that is frozen until it thaws; what they had sent arrives all the same.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self.is_alive = True
        self.frozen_until = 0.0

    def cross(
        self, service: str, operation: str, effect: Callable[[], R], *, polls: int = 0
    ) -> Way[R]:
        yield from self._run()
        mishap = self._line.next(service, operation)
        if mishap.fault is Fault.CRASH_BEFORE:
            self.is_alive = False
            yield from self._run()
        yield WAY_SECONDS + mishap.there
        refusal = _refusal(mishap.fault, operation)
        if not refusal:
            answer = effect()
            for _ in range(polls):
                if answer:
                    break
                yield 1
                answer = effect()
        if mishap.fault is Fault.CRASH_AFTER:
            self.is_alive = False
        if mishap.fault is Fault.LOST_ANSWER:
            yield _GIVEN_UP_SECONDS
            refusal = ReadTimeoutError(endpoint_url=_ENDPOINT)
        yield WAY_SECONDS + mishap.back
        yield from self._run()
        if refusal:
            raise refusal
        return answer

    def _run(self) -> Way[None]:
        """Returns when the worker runs."""
        if not self.is_alive:
            yield _FOR_EVER
        while (left := self.frozen_until - self._line.clock()) > 0:
            yield left


def _refusal(fault: Fault | None, operation: str) -> Exception | None:
    if fault is Fault.UNREACHED:
        return EndpointConnectionError(endpoint_url=_ENDPOINT)
    if fault is Fault.THROTTLED:
        return refused("ThrottlingException", operation, status=503)
    if fault is Fault.INTERNAL:
        return refused("InternalError", operation, status=500)
    return None


def _blocking(way: Way[R]) -> R:
    while True:
        try:
            seconds = next(way)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        clockwork.sleep(seconds)


async def _awaited(way: Way[R]) -> R:
    while True:
        try:
            seconds = next(way)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except ObjectFailure:
            raise
        except (EndpointConnectionError, ReadTimeoutError) as error:
            raise ObjectFailure(str(error)) from error
        except Exception as error:
            if hasattr(error, "response"):
                raise ObjectFailure(str(error)) from error
            raise
        await asyncio.sleep(seconds)


class WiredQueue:
    """`FakeQueue` at the end of a wire."""

    def __init__(self, queue: FakeQueue, wire: Wire) -> None:
        self._queue = queue
        self._wire = wire

    def receive(
        self, limit: int, *, wait_seconds: int, lease_seconds: int | None = None
    ) -> list[Received]:
        def effect() -> list[Received]:
            return self._queue.receive(limit, wait_seconds=0, lease_seconds=lease_seconds)

        return _blocking(self._wire.cross("sqs", "receive", effect, polls=wait_seconds))

    def delete(self, handles: Sequence[str]) -> list[bool]:
        return _blocking(self._wire.cross("sqs", "delete", lambda: self._queue.delete(handles)))

    def extend(self, leases: Mapping[str, int]) -> dict[str, bool]:
        return _blocking(self._wire.cross("sqs", "extend", lambda: self._queue.extend(leases)))


class WiredTable:
    """`FakeTable` at the end of a wire."""

    name = "ledger"

    def __init__(self, table: FakeTable, wire: Wire) -> None:
        self._table = table
        self._wire = wire

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Document]:
        wanted = list(keys)
        return _blocking(
            self._wire.cross("dynamodb", "get_many", lambda: self._table.get_many(wanted))
        )

    def write(self, documents: Sequence[Document]) -> list[bool]:
        return _blocking(
            self._wire.cross("dynamodb", "write", lambda: self._table.write(documents))
        )


class WiredObjects:
    """`FakeObjects` at the end of a wire."""

    def __init__(self, objects: FakeObjects, wire: Wire) -> None:
        self._objects = objects
        self._wire = wire

    async def download(self, bucket: str, key: str, **more: Any) -> Fetched:
        return await self._cross("download", lambda: self._objects.download(bucket, key, **more))

    async def upload(self, path: Path, *, owner: int | None = None, **more: Any) -> Stored:
        assert owner is None
        body = path.read_bytes()  # noqa: ASYNC240 - small; as it was when it was sent
        return await self._cross("upload", lambda: self._objects.store(body, **more))

    async def made(self, bucket: str, key: str) -> Made:
        return await self._cross("made", lambda: self._objects.made(bucket, key))

    async def _cross(self, operation: str, effect: Callable[[], Any]) -> Any:
        return await _awaited(self._wire.cross("s3", operation, lambda: _at_once(effect())))


def _at_once(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")
