"""What becomes of Ctrl-C and its like, where something runs that costs money."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

Handler = Callable[[int, FrameType | None], None]

_OTHERS = (signal.SIGTERM, signal.SIGHUP)  # CI that is called off, a terminal that is closed


@contextlib.contextmanager
def handled(handler: Handler) -> Iterator[None]:
    """Any of them calls the handler."""
    with _handled(handler, (signal.SIGINT, *_OTHERS)):
        yield


@contextlib.contextmanager
def interrupting() -> Iterator[None]:
    """The others are KeyboardInterrupts too, so that no `finally` is passed over."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(interrupt, _OTHERS):
        yield


@contextlib.contextmanager
def _handled(handler: Handler, numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    before = [(number, signal.signal(number, handler)) for number in numbers]
    try:
        yield
    finally:
        for number, previous in before:
            signal.signal(number, previous)
