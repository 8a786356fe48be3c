"""An SQS queue in memory: `aws.sqs.Queue`'s methods and promises, with a clock to be turned."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from botocore.exceptions import EndpointConnectionError

from aws_parallelizer.aws.sqs import MAX_VISIBILITY_SECONDS, Counts, Received

_POLL_SECONDS = 0.01  # in a long poll, between two looks for what others have sent


Noise = Callable[[Counts, Counts], Counts]  # the true counts, those of the reading before


def zero(_true: Counts, _before: Counts) -> Counts:
    """Nothing is seen of what is there."""
    return Counts(visible=0, in_flight=0, delayed=0)


def stale(_true: Counts, before: Counts) -> Counts:
    """What was there at the reading before."""
    return before


def off_by(number: int) -> Noise:
    """So many visible messages too many, or too few."""
    return lambda true, _: true._replace(visible=max(0, true.visible + number))


@dataclass
class Held:
    """One message: when it is visible again, and by which handle it was given out last."""

    body: str
    message_id: str
    visible_at: float = 0.0
    receives: int = 0
    handle: str = ""
    first_received: float = 0.0


class FakeQueue:
    """`failures` are raised by the next calls, one each; `broken` makes all calls fail. It
    does not take bodies that hold one of `refused`. `extended` has all leases ever set, `delays`
    those of what was sent, `delayed` counts messages that are nowhere else. `noise` distorts the
    next readings of the counts, one each; `most_said` is the highest total that was ever read.
    """

    def __init__(
        self,
        url: str = "https://sqs.us-east-1.amazonaws.com/000000000000/work",
        *,
        clock: Callable[[], float] = time.monotonic,
        lease_seconds: int = 30,
        longest_poll: float = 20.0,
    ) -> None:
        self.url = url
        self.failures: list[Exception] = []
        self.broken = False
        self.delayed = 0
        self.noise: list[Noise] = []
        self.most_said = 0
        self.delays: list[int] = []
        self.refused: set[str] = set()
        self.extended: list[dict[str, int]] = []
        self.calls: list[str] = []
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._longest_poll = longest_poll
        self._messages: dict[str, Held] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._before = Counts(visible=0, in_flight=0, delayed=0)

    @property
    def visible(self) -> dict[str, str]:
        """Bodies by message id of what could be received now."""
        now = self._clock()
        return {
            each.message_id: each.body for each in self._messages.values() if each.visible_at <= now
        }

    def put_back(self) -> None:
        """All leases run out."""
        for each in self._messages.values():
            each.visible_at = 0.0

    def empty(self) -> None:
        """All messages are gone, worked off or lost."""
        self._messages.clear()

    def receive(
        self, limit: int, *, wait_seconds: int, lease_seconds: int | None = None
    ) -> list[Received]:
        self._call("receive")
        end = time.monotonic() + min(wait_seconds, self._longest_poll)
        while True:
            found = self._take(min(limit, 10), lease_seconds or self._lease_seconds)
            if found or time.monotonic() >= end:
                return found
            time.sleep(_POLL_SECONDS)

    def send(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> list[bool]:
        self._call("send")
        seen = self._clock() + delay_seconds if delay_seconds else 0.0
        taken = [not any(part in body for part in self.refused) for body in bodies]
        with self._lock:
            for body in itertools.compress(bodies, taken):
                number = f"message-{next(self._numbers)}"
                self._messages[number] = Held(body, number, visible_at=seen)
                self.delays.append(delay_seconds)
        return taken

    def delete(self, handles: Sequence[str]) -> list[bool]:
        self._call("delete")
        with self._lock:
            for handle in handles:
                # A stale handle is accepted, and deletes nothing.
                if held := self._bearer(handle):
                    del self._messages[held.message_id]
        return [True] * len(handles)

    def extend(self, leases: Mapping[str, int]) -> dict[str, bool]:
        self._call("extend")
        self.extended.append(dict(leases))
        with self._lock:
            return {handle: self._extend(handle, seconds) for handle, seconds in leases.items()}

    def counts(self) -> Counts:
        self._call("counts")
        true = self._counts()
        said = self.noise.pop(0)(true, self._before) if self.noise else true
        self._before = true
        self.most_said = max(self.most_said, said.total)
        return said

    def _counts(self) -> Counts:
        with self._lock:
            hidden = [held for held in self._messages.values() if held.visible_at > self._clock()]
        in_flight = sum(held.receives > 0 for held in hidden)
        return Counts(
            visible=len(self._messages) - len(hidden),
            in_flight=in_flight,
            delayed=self.delayed + len(hidden) - in_flight,
        )

    def _take(self, limit: int, lease_seconds: int) -> list[Received]:
        with self._lock:
            now = self._clock()
            free = [held for held in self._messages.values() if held.visible_at <= now]
            return [self._give(held, now, lease_seconds) for held in free[:limit]]

    def _give(self, held: Held, now: float, lease_seconds: int) -> Received:
        held.receives += 1
        held.handle = f"handle-{next(self._numbers)}"
        held.first_received = now
        held.visible_at = now + lease_seconds
        return Received(held.body, held.handle, held.message_id, held.receives)

    def _extend(self, handle: str, seconds: int) -> bool:
        held, now = self._bearer(handle), self._clock()
        if held is None or held.visible_at <= now:
            return False
        if now + seconds > held.first_received + MAX_VISIBILITY_SECONDS:
            return False
        held.visible_at = now + seconds
        return True

    def _bearer(self, handle: str) -> Held | None:
        return next((held for held in self._messages.values() if held.handle == handle), None)

    def _call(self, name: str) -> None:
        with self._lock:
            self.calls.append(name)
            failure = self.failures.pop(0) if self.failures else None
        if failure:
            raise failure
        if self.broken:
            raise EndpointConnectionError(endpoint_url=self.url)
