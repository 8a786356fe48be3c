"""Waiting for a condition with a deadline, instead of sleeping for luck."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], *, seconds: float, what: str = "", every: float = 0.1) -> T:
    """The condition's first true value; fails after `seconds`, naming `what` was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            message = f"not within {seconds} s: {what or condition}; last value {value!r}"
            raise AssertionError(message)
        time.sleep(every)
