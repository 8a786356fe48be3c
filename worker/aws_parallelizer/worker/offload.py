"""Blocking calls beside the event loop, in daemon threads: one that hangs does not keep the process
from ending.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Offload:
    """A few threads. A caller that is cancelled leaves its call to run to its end."""

    def __init__(self, threads: int) -> None:
        self._jobs: queue.SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]]] = (
            queue.SimpleQueue()
        )
        for number in range(threads):
            threading.Thread(target=self._serve, name=f"offload-{number}", daemon=True).start()

    def __call__(
        self, call: Callable[..., T], *arguments: Any, **parameters: Any
    ) -> asyncio.Future[T]:
        """Start the call; await the result."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((future, lambda: call(*arguments, **parameters)))
        return future

    def _serve(self) -> None:
        while True:
            future, call = self._jobs.get()
            try:
                result, error = call(), None
            except BaseException as raised:  # noqa: BLE001 - it belongs to the caller
                result, error = None, raised
            try:
                future.get_loop().call_soon_threadsafe(_resolve, future, result, error)
            except RuntimeError:
                return  # the loop is closed: the process is about to end


def _resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
