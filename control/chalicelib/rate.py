"""How many tasks end in a second, measured on those that ended last: pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=15)  # what ended before says little about now
SAMPLE = 25  # tasks of each shard and state that are looked at
_FEWEST = 2


def measured(ends: Iterable[Sequence[datetime]], *, now: datetime) -> float | None:
    """Tasks a second from times of ended tasks, a sequence for each place that was looked at, the
    newest first and at most SAMPLE of them. None where too few ended within WINDOW.

    A place that gave SAMPLE times may have had more before; all are compared from there on.
    """
    places = list(ends)
    full = [times[-1] for times in places if len(times) >= SAMPLE]
    begin = max([now - WINDOW, *full])
    counted = sorted(time for time in itertools.chain(*places) if time >= begin)
    if len(counted) < _FEWEST or counted[0] >= now:
        return None
    return (len(counted) - 1) / (now - counted[0]).total_seconds()
