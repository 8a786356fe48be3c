"""An event loop whose time passes when there is nothing to do, and blocking calls that take such
time: hours in a moment, and the same order of things each time.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(AssertionError):
    """Nothing would ever happen again."""


class _Selector(selectors.SelectSelector):
    """Skips the time for which it was to wait."""

    def __init__(self, skip: Callable[[float], None]) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("everybody waits, and for nothing")
        self._skip(max(timeout, 0))
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time starts at 1,000,000 s; what would run in a thread runs at once."""

    def __init__(self) -> None:
        self._now = 1_000_000.0
        super().__init__(_Selector(self._skip))

    def time(self) -> float:
        return self._now

    def _skip(self, seconds: float) -> None:
        self._now += seconds

    def run_in_executor(self, _executor: Any, call: Any, *arguments: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()
        try:
            future.set_result(call(*arguments))
        except Exception as error:  # noqa: BLE001 - it belongs to the caller
            future.set_exception(error)
        return future


class _Killed(BaseException):
    """The story is over."""


class Strand(threading.Thread):
    """A blocking call that runs only while the loop waits for it: until it sleeps, or ends."""

    def __init__(self, call: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._future = future
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._pause: float | None = None
        self._is_killed = False
        self.start()

    def run(self) -> None:
        self._go.acquire()
        result, error = None, None
        try:
            if not self._is_killed:
                result = self._call()
        except BaseException as raised:  # noqa: BLE001 - it belongs to the caller
            error = raised
        self._pause = None
        if not (self._is_killed or self._future.done()):
            if error:
                self._future.set_exception(error)
            else:
                self._future.set_result(result)
        self._back.release()

    def step(self) -> None:
        """From the loop: let it go on."""
        self._go.release()
        self._back.acquire()
        if self._pause is not None:
            self._future.get_loop().call_later(self._pause, self.step)

    def sleep(self, seconds: float) -> None:
        """From the call: let time pass."""
        self._pause = seconds
        self._back.release()
        self._go.acquire()
        if self._is_killed:
            raise _Killed

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self.is_alive() and not self._future.get_loop().is_closed():
            self._is_killed = True
            self._go.release()
            self.join()


class StepwiseOffload:
    """`Offload`, by strands."""

    def __init__(self) -> None:
        self.strands: list[Strand] = []

    def __call__(
        self, call: Callable[..., T], *arguments: Any, **parameters: Any
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        strand = Strand(lambda: call(*arguments, **parameters), future)
        self.strands = [each for each in self.strands if each.is_alive()]
        self.strands.append(strand)
        strand.step()
        return future


def sleep(seconds: float) -> None:
    """In a blocking call: let time pass."""
    strand = threading.current_thread()
    assert isinstance(strand, Strand)
    strand.sleep(seconds)
