"""Parts of the sentence that says what is done about a fleet, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chalicelib.actions import many
from chalicelib.holdings import SLOW_END, Holdings

_SHOWN = 5  # ids in a sentence


def slow_to_end(ids: Sequence[str]) -> str:
    """What is said of instances that take long to shut down."""
    shown = " ".join(ids[:_SHOWN]) + (" ..." if len(ids) > _SHOWN else "")
    minutes = span(SLOW_END.total_seconds())
    return f"; {many(len(ids), 'instance')} shutting down for over {minutes}: {shown}"


def leaving(holdings: Holdings) -> str:
    """What is left of a fleet that goes."""
    if holdings.protected:
        return f"keeping {many(len(holdings.protected), 'protected instance')}"
    if holdings.ending:
        return f"{many(len(holdings.ending), 'instance')} shutting down"
    if holdings.parked:
        return f"{many(len(holdings.parked), 'parked instance')}"
    return "waiting for launches to show" if holdings.unsettled else "nothing runs"


def span(seconds: float) -> str:
    """A span for people."""
    return f"{math.ceil(seconds)} s" if seconds < 90 else f"{math.ceil(seconds / 60)} min"
