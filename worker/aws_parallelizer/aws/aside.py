"""Long blocking calls beside the event loop, each in a daemon thread of its own: a call that hangs
keeps nothing from ending, and one that is wanted no more ends soon.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

_END_SECONDS = 5.0  # for a call that is wanted no more


class Halted(BaseException):
    """The call is wanted no more. No Exception, as botocore would try again after one."""


class Halt:
    """What a call's threads ask between two steps, whether they are to go on."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Have them end."""
        self._event.set()

    def check(self) -> None:
        """Raises Halted."""
        if self._event.is_set():
            raise Halted


async def aside(call: Callable[[Halt], T]) -> T:
    """The result of `call`. When the caller is cancelled the call is halted, and waited for a
    moment, so that what it began is undone.
    """
    halt = Halt()
    under_way = asyncio.wrap_future(begin(lambda: call(halt)))
    try:
        return await asyncio.shield(under_way)
    except asyncio.CancelledError:
        halt.set()
        await asyncio.wait((under_way,), timeout=_END_SECONDS)
        under_way.add_done_callback(_forget)
        raise


def begin(call: Callable[[], T]) -> Future[T]:
    """Start a call in a thread of its own."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from now on it cannot be cancelled
    threading.Thread(target=_carry_out, args=(call, future), name="aside", daemon=True).start()
    return future


def _carry_out(call: Callable[[], T], future: Future[T]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it belongs to the caller
        future.set_exception(error)
    else:
        future.set_result(result)


def _forget(under_way: asyncio.Future[T]) -> None:
    under_way.exception()  # or asyncio would complain that nobody asked
