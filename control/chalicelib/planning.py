"""What to do about a job's fleet: pure. Numbers and frozen values in, a plan out.

    demand = visible + in flight + delayed
    want = clamp(ceil(demand x seconds a task / (slots x drainSeconds)),
                 1 if demand, min(maxInstances, ceil(demand / slots)))
    have = running and healthy + pending + open requests + unresolved intents
    launch = want - have, at most a step a tick

A stopped or deleted job, and one whose work is over, is let go in this order: cancel the requests,
see that they are cancelled, terminate, see that nothing is left. EC2 starts a persistent request's
instance again, so no instance is ever terminated before its request is cancelled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aws_parallelizer.core.fleet import Backoff, Intent
from aws_parallelizer.core.job import Wish
from chalicelib.holdings import UNSEEN, Holdings

STEP = 20  # launches a tick: a wrong number of waiting messages is noticed before it is dear
START_SECONDS_PER_TASK = 60.0  # until some are measured; DESIGN: "several seconds or more"
REPLAY = timedelta(minutes=10)  # EC2 surely still knows the client token of a launch so young


@dataclass(frozen=True, kw_only=True)
class Launch:
    """Launch `count` instances; `wish` is the id of the person's order that it carries out."""

    count: int
    wish: str = ""
    max_price: float | None = None


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Send a launch again whose answer was lost: the same call, the same token."""

    intent: Intent


@dataclass(frozen=True, kw_only=True)
class Settle:
    """Take what EC2 shows of a launch whose answer was lost for all that it brought forth."""

    intent: Intent
    instances: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CancelRequests:
    """Cancel these spot requests."""

    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Terminate:
    """Terminate these instances."""

    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Adopt:
    """Tag these instances: EC2 launched them for the job's requests, without tags."""

    ids: tuple[str, ...]


Action = Launch | Replay | Settle | CancelRequests | Terminate | Adopt


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a job's parameters say about the size of its fleet."""

    max_instances: int
    drain_seconds: int
    slots: int
    seconds_per_task: float = START_SECONDS_PER_TASK


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All that a decision rests on. `demand` None = the queue could not be read, `trouble` why.

    `empty` = the emptiness rule holds; `grace_seconds` = what workers then get to end by
    themselves.
    """

    holdings: Holdings
    limits: Limits
    demand: int | None
    trouble: str = ""
    stopped: bool = False
    deleting: bool = False
    empty: bool = False
    draining_since: datetime | None = None
    grace_seconds: float = 0
    wishes: tuple[Wish, ...] = ()
    backoff: Backoff = field(default_factory=Backoff)
    untagged: tuple[str, ...] = ()

    @property
    def now(self) -> datetime:
        """When it was read."""
        return self.holdings.now


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do, in this order, and one sentence on it for people.

    `granted` are wishes that need not be kept. `draining`: workers are being let end. `finished`:
    nothing is left. `look_again`: see what the cancelling did, and plan anew at once.
    """

    sentence: str
    actions: tuple[Action, ...] = ()
    granted: tuple[str, ...] = ()
    draining: bool = False
    finished: bool = False
    look_again: bool = False


def plan(situation: Situation) -> Plan:
    """The plan for one job."""
    if situation.stopped or situation.deleting:
        return _end_now(situation)
    if situation.empty:
        return _let_go(situation)
    return _fit(situation)


def wanted(demand: int, limits: Limits) -> int:
    """How many instances work `demand` tasks off in time, within the limits."""
    if demand <= 0:
        return 0
    slots = max(1, limits.slots)
    in_time = math.ceil(demand * limits.seconds_per_task / (slots * limits.drain_seconds))
    most = min(limits.max_instances, math.ceil(demand / slots))
    return min(max(1, in_time), most)


def _end_now(s: Situation) -> Plan:
    """The panic button, and deleting: nobody is waited for."""
    why = "deleting" if s.deleting else "stopped"
    holdings = s.holdings
    if holdings.nothing:
        return Plan(sentence=f"{why}: nothing runs", finished=True)
    requests = tuple(request.id for request in holdings.live_requests)
    instances = tuple(instance.id for instance in holdings.terminable)
    doing = [f"cancelling {_many(len(requests), 'spot request')}"] if requests else []
    doing += [f"terminating {_many(len(instances), 'instance')}"] if instances else []
    return Plan(
        sentence=f"{why}: {', '.join(doing) or _leaving(holdings)}",
        actions=(
            *_settlements(s, replay=False),
            *_adoptions(s),
            *([CancelRequests(ids=requests)] if requests else []),
            *([Terminate(ids=instances)] if instances else []),
        ),
        look_again=bool(requests),
    )


def _let_go(s: Situation) -> Plan:
    """The work is over: cancel, let workers end, terminate what stays, verify."""
    holdings = s.holdings
    if holdings.live_requests:
        ids = tuple(request.id for request in holdings.live_requests)
        return Plan(
            sentence=f"no work left: cancelling {_many(len(ids), 'spot request')}",
            actions=(*_adoptions(s), CancelRequests(ids=ids)),
        )
    if not holdings.standing:
        return Plan(sentence=f"no work left: {_leaving(holdings)}", finished=holdings.nothing)
    waited = (s.now - s.draining_since).total_seconds() if s.draining_since else 0.0
    number = _many(len(holdings.standing), "instance")
    if waited < s.grace_seconds:
        left = _span(s.grace_seconds - waited)
        return Plan(
            sentence=f"no work left: letting {number} end, at most {left} more",
            actions=_adoptions(s),
            draining=True,
        )
    ids = tuple(instance.id for instance in holdings.terminable)
    return Plan(
        sentence=f"no work left: terminating {number} that did not end",
        actions=(Terminate(ids=ids),),
        draining=True,
    )


def _fit(s: Situation) -> Plan:
    """There is work, or may be: launch what is missing."""
    repairs = (*_settlements(s, replay=bool(s.demand or s.wishes)), *_adoptions(s))
    if s.backoff.until is not None and s.backoff.until > s.now:
        wait = _span((s.backoff.until - s.now).total_seconds())
        return Plan(sentence=f"{s.backoff.sentence}, next try in {wait}", actions=repairs)
    granted, launches = _wishes(s)
    have = s.holdings.capacity + sum(launch.count for launch in launches)
    room = s.limits.max_instances - s.holdings.occupied - (have - s.holdings.capacity)
    want = wanted(s.demand or 0, s.limits)
    missing = max(0, min(want - have, room, STEP))
    if missing:
        launches = (*launches, Launch(count=missing))
    return Plan(
        sentence=_fitting(s, want=want, launches=launches),
        actions=(*repairs, *launches),
        granted=granted,
    )


def _wishes(s: Situation) -> tuple[tuple[str, ...], tuple[Launch, ...]]:
    """(ids of wishes that are carried out by this plan or were before, the launches for them)."""
    known = {intent.wish for intent in s.holdings.intents}
    room = s.limits.max_instances - s.holdings.occupied
    launches: list[Launch] = []
    for wish in s.wishes:
        count = min(wish.count, room)
        if wish.id not in known and count > 0:
            launches.append(Launch(count=count, wish=wish.id, max_price=wish.max_price))
            room -= count
    return tuple(wish.id for wish in s.wishes), tuple(launches)


def _settlements(s: Situation, *, replay: bool) -> tuple[Action, ...]:
    return tuple(
        action
        for intent in s.holdings.unresolved
        if (action := _settlement(s.holdings, intent, replay=replay))
    )


def _settlement(holdings: Holdings, intent: Intent, *, replay: bool) -> Replay | Settle | None:
    age = holdings.now - intent.created
    if replay and age < REPLAY:
        return Replay(intent=intent)
    if age >= UNSEEN:
        return Settle(intent=intent, instances=holdings.launched_by(intent))
    return None  # what it launched may not show yet


def _adoptions(s: Situation) -> tuple[Action, ...]:
    return (Adopt(ids=s.untagged),) if s.untagged else ()


def _fitting(s: Situation, *, want: int, launches: tuple[Launch, ...]) -> str:
    have = s.holdings.capacity
    if s.demand is None:
        state = f"no decision: {s.trouble}"
    elif s.demand:
        state = f"{_many(s.demand, 'task')} in the queue, {have} of {_many(want, 'instance')} there"
    elif have:
        state = f"no messages left, {_many(have, 'instance')} there; making sure that it is over"
    else:
        state = "no messages left; making sure that it is over"
    count = sum(launch.count for launch in launches)
    return f"launching {_many(count, 'instance')}: {state}" if count else state


def _leaving(holdings: Holdings) -> str:
    if holdings.ending:
        return f"{_many(len(holdings.ending), 'instance')} shutting down"
    return "waiting for launches to show" if holdings.unsettled else "nothing runs"


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _span(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds < 90 else f"{math.ceil(seconds / 60)} min"
