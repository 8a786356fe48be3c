"""Signals to the worker. Python tells the main thread of them; the event loop runs in another."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Signals:
    """A handler for signals in the main thread, `signals(number, frame)`, which has the loop that
    listens do something. What comes before one listens is kept for it.
    """

    def __init__(self) -> None:
        self._actions: dict[int, Callable[[], object]] = {}
        self._heard: deque[int] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    def on(self, number: signal.Signals, action: Callable[[], object]) -> None:
        """From now on the signal means this."""
        self._actions[number] = action

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """The signal has come."""
        self._heard.append(number)
        if self._loop:
            self._call(self._loop)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """The running loop acts on signals meanwhile."""
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._act)
        try:
            yield
        finally:
            self._loop = None

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._act)
        except RuntimeError:
            return  # it has been closed this moment: the worker is ending anyway

    def _act(self) -> None:
        while self._heard:
            action = self._actions.get(self._heard.popleft())
            if action:
                action()
