"""All that a plan rests on: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aws_parallelizer.core.fleet import Backoff
from aws_parallelizer.core.job import Wish
from chalicelib.holdings import Holdings

START_SECONDS_PER_TASK = 60.0  # until some are measured: programs take several seconds or more


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a job's parameters say about its fleet. `budget` in dollars; `on_demand_after` = how
    long there must be no spot capacity before on-demand instances take over, None = never.
    """

    max_instances: int
    drain_seconds: int
    slots: int
    seconds_per_task: float = START_SECONDS_PER_TASK
    budget: float | None = None
    on_demand_after: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All that a decision rests on. `demand` None = the queue could not be read; `trouble` why, or
    why it is not what SQS says.

    `empty` = the emptiness rule holds; `grace_seconds` = what workers then get to end by
    themselves; `stays` = instances outlive their workers, for the job's owner wants it so.
    `condemned` = instances that several readings found to do nothing; `spent` = dollars so far.
    """

    holdings: Holdings
    limits: Limits
    demand: int | None
    trouble: str = ""
    stopped: bool = False
    deleting: bool = False
    paused: bool = False
    empty: bool = False
    stays: bool = False
    draining_since: datetime | None = None
    grace_seconds: float = 0
    wishes: tuple[Wish, ...] = ()
    backoff: Backoff = field(default_factory=Backoff)
    on_demand_backoff: Backoff = field(default_factory=Backoff)
    breaker: Backoff = field(default_factory=Backoff)
    held: Mapping[str, Backoff] = field(default_factory=dict)
    condemned: frozenset[str] = frozenset()
    untagged: tuple[str, ...] = ()
    spent: float = 0.0

    @property
    def now(self) -> datetime:
        """When it was read."""
        return self.holdings.now

    @property
    def overspent(self) -> bool:
        """Whether the budget is used up."""
        return self.limits.budget is not None and self.spent >= self.limits.budget
