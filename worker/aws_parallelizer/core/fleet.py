"""The fleet's records: what EC2 has of a job, what was asked of it, and what reconcile remembers
between two ticks.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from aws_parallelizer.core.spending import Spending

TAG_STACK = "parallelizer:stack"
TAG_JOB = "parallelizer:job"
TAG_LAUNCH = "parallelizer:launch"
WORKER_LOGS = "/parallelizer/{stack}/workers"  # the stack's log group that workers write
TAG_PROTECT = "parallelizer:protect"  # set by people: whatever its value, nothing ends the instance


class Instance(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One EC2 instance of a job. `state` is EC2's word; `launched` is when it was last started;
    `ended` is when it was stopped or terminated, where EC2 says so; `launch` is the intent's id,
    empty for a replacement.
    """

    id: str
    type: str
    zone: str
    state: str
    launched: datetime
    spot: bool = False
    request: str = ""
    launch: str = ""
    subnet: str = ""
    protected: bool = False
    ended: datetime | None = None


class SpotRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One spot request of a job. `type` is one-time or persistent; `state` and `status` are EC2's
    words.
    """

    id: str
    type: str
    state: str
    status: str
    instance: str = ""


class Phase(StrEnum):
    """How far a worker is. `starting` until it has its environment and asks for tasks."""

    STARTING = "starting"
    WORKING = "working"
    DRAINING = "draining"
    ENDED = "ended"


class Beat(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A worker's sign of life, which it alone writes. `ready`: it has been `working` at least once.

    `running` = tasks in its slots now; `why` = why it drains or ended.
    """

    job: str
    instance: str
    started: datetime
    seen: datetime
    phase: Phase
    ready: bool = False
    slots: int = 0
    running: int = 0
    why: str = ""
    version: int = 0


class Mark(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """EC2's word that it takes an instance of the account back, whoever's it is. `action` is EC2's
    word: terminate, stop, hibernate, or rebalance for a mere recommendation.
    """

    instance: str
    action: str
    at: datetime
    version: int = 0


class Refusal(NamedTuple):
    """Why EC2 did not launch; `pool` is the type and subnet, empty when it refused as a whole."""

    code: str
    message: str
    pool: str = ""


class Intent(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A launch, written before it is asked of EC2. `id` is the client token and a tag; `call` is
    replayed as stored.

    Unresolved (`resolved` false) it counts as `count` instances, for EC2 may have launched them.
    `sent` = when it was sent again, None = never. An unresolved one with an `error` is not sent
    again. `judged` = it is known whether one of its instances ever worked.
    """

    id: str
    job: str
    count: int
    created: datetime
    call: str
    arguments: str
    wish: str = ""
    on_demand: bool = False
    sent: datetime | None = None
    resolved: bool = False
    instances: tuple[str, ...] = ()
    error: str = ""
    judged: bool = False
    version: int = 0

    @property
    def asked(self) -> datetime:
        """When EC2 was last asked for it, and may have launched."""
        return self.sent or self.created


class Streak(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """So many readings in a row said the same, the first of them at `since`."""

    readings: int = 0
    since: datetime | None = None


class Backoff(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Why nothing is launched before `until`. `kind` is the class of the obstacle, `since` when it
    was first met in a row. A `configuration` (a fingerprint of what a launch is made from) holds it
    only while that stands.
    """

    failures: int = 0
    until: datetime | None = None
    sentence: str = ""
    kind: str = ""
    since: datetime | None = None
    configuration: str = ""


class Fleet(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What the last tick saw of a job's fleet, and what the next one must remember. Written by
    reconcile alone. `observed` is when EC2 was last asked, `job_version` the job's row then.

    `instances` and `requests` are what was there, of a huge fleet the first thousands; `states`
    counts all instances by EC2's word for their state. `held` are pools ("type subnet") and parked
    instances that EC2 refused and that are left alone for a while; `waiting` since when requests
    have had no instance; `ending` since when instances have been shutting down; `suspects`
    instances that did nothing for their money; `barren` how many launches in a row brought no
    worker that worked, and `breaker` what follows from it.

    `told` are the events that `notify` was told of and that still hold, `untold` those that it is
    yet to be told of; `progressed` = when a task last ended, or there was none to work on.
    """

    job: str
    observed: datetime
    spending: Spending = Spending()
    told: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    progressed: datetime | None = None
    job_version: int = 0
    instances: tuple[Instance, ...] = ()
    requests: tuple[SpotRequest, ...] = ()
    states: dict[str, int] = {}
    sentence: str = ""
    empty: Streak = Streak()
    lost: Streak = Streak()
    contradicted: Streak = Streak()
    draining_since: datetime | None = None
    backoff: Backoff = Backoff()
    on_demand_backoff: Backoff = Backoff()
    breaker: Backoff = Backoff()
    barren: int = 0
    held: dict[str, Backoff] = {}
    waiting: dict[str, datetime] = {}
    ending: dict[str, datetime] = {}
    suspects: dict[str, Streak] = {}
    seconds_per_task: float | None = None
    version: int = 0
