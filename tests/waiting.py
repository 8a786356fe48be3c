"""Waiting for a condition with a deadline, instead of sleeping for luck."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LONGEST_PAUSE_SECONDS = 2.0


def until(condition: Callable[[], T], *, seconds: float, what: str = "", every: float = 0.1) -> T:
    """The condition's first true value; fails after `seconds`, naming `what` was waited for.

    It looks `every` so many seconds, and less often when it has waited for long or a look takes its
    time: that may cost what it looks at as much as the work that is waited for.
    """
    began = time.monotonic()
    while True:
        looked = time.monotonic()
        value = condition()
        if value:
            return value
        now = time.monotonic()
        if now - began > seconds:
            message = f"not within {seconds} s: {what or condition}; last value {value!r}"
            raise AssertionError(message)
        calm = max((now - began) / 20, 3 * (now - looked))
        time.sleep(max(every, min(calm, _LONGEST_PAUSE_SECONDS)))
