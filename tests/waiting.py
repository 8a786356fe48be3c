"""Waiting for a condition with a deadline, instead of sleeping for luck."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LONGEST_PAUSE_SECONDS = 0.5


def until(condition: Callable[[], T], *, seconds: float, what: str = "", every: float = 0.1) -> T:
    """The condition's first true value; fails after `seconds`, naming `what` was waited for.

    It looks `every` so many seconds, and less often when it has waited for long: a look may cost
    what it looks at as much as the work that is waited for.
    """
    began = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - began
        if waited > seconds:
            message = f"not within {seconds} s: {what or condition}; last value {value!r}"
            raise AssertionError(message)
        time.sleep(max(every, min(waited / 20, _LONGEST_PAUSE_SECONDS)))
