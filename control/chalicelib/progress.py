"""Whether a job gets on: pure.

A job is stuck when there are tasks that it may work on (it is not paused, stopped, deleted or held
for its budget), and yet none has ended for longer than its patience. Why is not asked: no capacity,
a wrong image, workers that hang. Its status says why; the alarm says that a person should look.
"""

from __future__ import annotations

from datetime import datetime, timedelta

PATIENCE = timedelta(minutes=30)  # machines boot in minutes; EC2's longest back-offs are shorter
UNMEASURED = timedelta(hours=6)  # tasks that workers hold, and none has ended yet to be measured
LOOK_AFTER = timedelta(minutes=5)  # before that, nobody needs to ask whether a task ended
_TIMES = 3  # so many times a task's usual seconds


def patience(
    *, seconds_per_task: float | None, timeout_seconds: float, in_flight: int
) -> timedelta:
    """How long it may take until a task ends. `timeout_seconds` 0 = attempts have no limit."""
    if seconds_per_task is None and in_flight:
        longest = timedelta(seconds=timeout_seconds) if timeout_seconds else UNMEASURED
        return max(PATIENCE, longest + PATIENCE)
    return max(PATIENCE, timedelta(seconds=_TIMES * (seconds_per_task or 0)))


def progressed(
    before: datetime | None,
    *,
    demand: int | None,
    entitled: bool,
    ended: datetime | None,
    now: datetime,
) -> datetime:
    """When the job last got on, or had nothing to get on with. `demand` None = not known;
    `ended` = when a task last ended, None = none did or nobody asked.
    """
    if before is None or not entitled or demand == 0:
        return now
    return max(before, min(ended, now)) if ended else before


def is_stuck(since: datetime, *, now: datetime, patience: timedelta) -> bool:
    """Whether nothing happened for too long."""
    return now - since > patience
