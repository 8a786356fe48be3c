"""Breaks calls: one numbering over all clients of a stack, so that a test can say "the seventh".

What may become of a call: it is never made, since the caller is killed before; it is made and the
caller is killed then; it is made and its answer is lost; it is refused; something else happens just
before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

R = TypeVar("R")
WORDS = {
    "UnauthorizedOperation": "You are not authorized to perform this operation. User: role is not "
    "authorized to perform: ec2:RunInstances. Encoded authorization failure message: "
    + "q1Bx"
    * 200,
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted": "The provided credentials do not have "
    "permission to create the service-linked role for EC2 Spot Instances.",
}
_ENDPOINT = "https://us-east-1.amazonaws.com"


class Crash(BaseException):
    """The function is killed here: nothing catches it."""


class Fault(StrEnum):
    """What becomes of a call."""

    CRASH_BEFORE = "the caller is killed before the call"
    CRASH_AFTER = "the caller is killed after the call"
    LOST_ANSWER = "the call is carried out and its answer is lost"
    UNREACHED = "the call never arrives"
    THROTTLED = "the call is refused for its rate"
    INTERNAL = "the service fails, and nothing is done"


@dataclass
class Faults:
    """Plans by the call's number (from 1, over all clients), or by the operation's name.

    `at` holds faults, or things to do just before the call, by number; `first` by the operation's
    name, for its next call. `refusals` (HTTP status and code) last
    until they are taken out; of `lost_answers` and `crashes` (before the call) each is for one.
    """

    log: list[str] = field(default_factory=list)
    at: dict[int, Fault | Callable[[], None]] = field(default_factory=dict)
    first: dict[str, Fault | Callable[[], None]] = field(default_factory=dict)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    lost_answers: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    _alive: list[bool] = field(default_factory=list)

    def call(
        self, operation: str, effect: Callable[[], R], *, arrived: Callable[[], None] | None = None
    ) -> R:
        """Make the call, as far as it comes about; `arrived` is told when the service hears of it.

        Raises Crash, what botocore raises, and what `effect` raises.
        """
        self._die_again(operation)
        self.log.append(operation)
        fault = self.at.pop(len(self.log), None) or self.first.pop(operation, None)
        if callable(fault):
            fault()
            fault = None
        if operation in self.crashes:
            self.crashes.remove(operation)
            fault = Fault.CRASH_BEFORE
        if fault is Fault.CRASH_BEFORE:
            self._die(operation)
        if fault is Fault.UNREACHED:
            raise EndpointConnectionError(endpoint_url=_ENDPOINT)
        if arrived:
            arrived()
        if fault:
            return self._broken(fault, operation, effect)
        if operation in self.refusals:
            status, code = self.refusals[operation]
            raise refused(code, operation, status=status)
        answer = effect()
        if operation in self.lost_answers:
            self.lost_answers.remove(operation)
            raise ReadTimeoutError(endpoint_url=_ENDPOINT)
        return answer

    @contextmanager
    def process(self) -> Iterator[None]:
        """One run of a function: after a crash it makes no more calls, not even to tidy up."""
        self._alive.append(True)
        try:
            yield
        finally:
            self._alive.pop()

    def next(self, call: int | str, fault: Fault | Callable[[], None]) -> None:
        """Have it happen at the call that comes so many calls from now, 1 = the next one, or at the
        next call of this name.
        """
        if isinstance(call, str):
            self.first[call] = fault
        else:
            self.at[len(self.log) + call] = fault

    def unplan(self) -> None:
        """What was planned for single calls and has not happened does not happen."""
        self.at.clear()
        self.first.clear()

    def cease(self) -> None:
        """From now on every call comes about."""
        self.unplan()
        self.refusals.clear()
        self.lost_answers.clear()
        self.crashes.clear()

    def _broken(self, fault: Fault, operation: str, effect: Callable[[], R]) -> R:
        if fault is Fault.THROTTLED:
            raise refused("RequestLimitExceeded", operation, status=503)
        if fault is Fault.INTERNAL:
            raise refused("InternalError", operation, status=500)
        effect()
        if fault is Fault.CRASH_AFTER:
            self._die(operation)
        raise ReadTimeoutError(endpoint_url=_ENDPOINT)

    def _die(self, operation: str) -> NoReturn:
        if self._alive:
            self._alive[-1] = False
        raise Crash(operation)

    def _die_again(self, operation: str) -> None:
        if self._alive and not self._alive[-1]:
            raise Crash(operation)


class Breakable:
    """A client whose calls go through the faults."""

    def __init__(self, target: Any, faults: Faults) -> None:
        self._target = target
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            return self._faults.call(name, lambda: _whole(found(*arguments, **options)))

        return call


class BreakableQueues:
    """All queues of an account, each of them breakable."""

    def __init__(self, target: Any, faults: Faults) -> None:
        self._target = target
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(Breakable(self._target, self._faults), name)

    def at(self, url: str) -> Any:
        """No call: it only names the queue."""
        return Breakable(self._target.at(url), self._faults)


def refused(code: str, operation: str, *, status: int = 400, said: str = "") -> ClientError:
    """A service's answer to a call that it refuses."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": said or WORDS.get(code, f"{code} it is")},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },
        operation,
    )


def _whole(answer: Any) -> Any:
    """A listing is one call here: it breaks where it is made, not where it is read."""
    return iter(list(answer)) if hasattr(answer, "__next__") else answer
