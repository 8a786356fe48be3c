"""What to do about a job's fleet: pure. Numbers and frozen values in, a plan out.

    demand = visible + in flight + delayed
    want = clamp(ceil(demand x seconds a task / (slots x drainSeconds)),
                 1 if demand, min(maxInstances, ceil(demand / slots)))
    have = running and healthy + pending + open requests + unresolved intents
    launch = want - have, at most a step a tick, parked instances first

A stopped or deleted job, and one whose work is over, is let go in this order: cancel the requests,
see that they are cancelled, terminate, see that nothing is left. EC2 starts a persistent request's
instance again, so no instance is ever terminated before its request is cancelled. A job that is
paused or whose budget is spent launches nothing, and its workers finish what they have begun.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from aws_parallelizer.core import money
from aws_parallelizer.core.fleet import Backoff, Intent
from aws_parallelizer.core.job import Wish
from chalicelib.actions import (
    Action,
    Adopt,
    CancelRequests,
    Launch,
    Plan,
    Replay,
    Settle,
    Start,
    Terminate,
    many,
)
from chalicelib.holdings import SLOW_END, UNSEEN, Holdings
from chalicelib.refusals import holds
from chalicelib.trials import MOST_BARREN

STEP = 20  # launches a tick: a wrong number of waiting messages is noticed before it is dear
START_SECONDS_PER_TASK = 60.0  # until some are measured; DESIGN: "several seconds or more"
_SHOWN = 5  # ids in a sentence
REPLAY = timedelta(minutes=10)  # EC2 surely still knows the client token of a launch so young


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


def plan(situation: Situation) -> Plan:
    """The plan for one job."""
    decided = _decided(situation)
    slow = [each.id for each in situation.holdings.slow_to_end]
    return replace(decided, sentence=decided.sentence + _slow(slow)) if slow else decided


def _decided(situation: Situation) -> Plan:
    if situation.stopped or situation.deleting:
        return _end_now(situation)
    if situation.empty:
        return _let_go(situation)
    if situation.overspent:
        return _run_dry(situation)
    if situation.paused:
        return _pause(situation)
    return _fit(situation)


def wanted(demand: int, limits: Limits) -> int:
    """How many instances work `demand` tasks off in time, within the limits."""
    if demand <= 0:
        return 0
    slots = max(1, limits.slots)
    in_time = math.ceil(demand * limits.seconds_per_task / (slots * limits.drain_seconds))
    most = min(limits.max_instances, math.ceil(demand / slots))
    return min(max(1, in_time), most)


# Ending.


def _end_now(s: Situation) -> Plan:
    """The panic button, and deleting: nobody is waited for."""
    why = "deleting" if s.deleting else "stopped"
    holdings = s.holdings
    if holdings.nothing:
        return Plan(sentence=f"{why}: nothing runs", finished=True)
    requests = tuple(request.id for request in holdings.cancellable)
    instances = tuple(instance.id for instance in holdings.terminable)
    doing = [f"cancelling {many(len(requests), 'spot request')}"] if requests else []
    doing += [f"terminating {many(len(instances), 'instance')}"] if instances else []
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
    if holdings.cancellable:
        ids = tuple(request.id for request in holdings.cancellable)
        return Plan(
            sentence=f"no work left: cancelling {many(len(ids), 'spot request')}",
            actions=(*_adoptions(s), CancelRequests(ids=ids)),
        )
    ids = tuple(instance.id for instance in holdings.terminable)
    if not ids:
        return Plan(sentence=f"no work left: {_leaving(holdings)}", finished=holdings.nothing)
    number = many(len(ids), "instance")
    if s.stays:
        return Plan(
            sentence=f"no work left: keeping {number}, for shouldShutdown is false; "
            "DELETE /instances ends what stays",
            actions=_adoptions(s),
        )
    waited = (s.now - s.draining_since).total_seconds() if s.draining_since else -1.0
    if waited < s.grace_seconds:
        left = span(s.grace_seconds - max(0.0, waited))
        return Plan(
            sentence=f"no work left: letting {number} end, at most {left} more",
            actions=_adoptions(s),
            draining=True,
        )
    return Plan(
        sentence=f"no work left: terminating {number} that did not end",
        actions=(Terminate(ids=ids),),
        draining=True,
    )


# Holding still.


def _run_dry(s: Situation) -> Plan:
    """The budget is spent: nothing is launched again, and workers finish what they have begun."""
    hold = f"the budget of {money.dollars(s.limits.budget or 0)} is spent"
    ids = tuple(request.id for request in s.holdings.cancellable)
    return Plan(
        sentence=f"{hold} ({money.dollars(s.spent)}): {_finishing(s)}",
        actions=_repairs(s, replay=False, cancel=ids),
        granted=tuple(wish.id for wish in s.wishes),
        hold=hold,
    )


def _pause(s: Situation) -> Plan:
    """A person paused the job: nothing is launched, and nothing is started by EC2 either."""
    there = {each.id for each in s.holdings.standing}
    ids = tuple(each.id for each in s.holdings.cancellable if each.instance not in there)
    return Plan(
        sentence=f"paused: {_finishing(s)}",
        actions=_repairs(s, replay=False, cancel=ids),
    )


def _finishing(s: Situation) -> str:
    running = len(s.holdings.working)
    left = f", {many(s.demand, 'task')} in the queue" if s.demand else ""
    if running:
        return f"{many(running, 'instance')} may finish what they have begun{left}"
    return f"{_leaving(s.holdings)}{left}"


# Fitting.


@dataclass(frozen=True)
class _Market:
    """What may be bought now: at most so many instances, of which kind, and why not more."""

    most: int = STEP
    on_demand: bool = False
    why: str = ""


def _fit(s: Situation) -> Plan:
    """There is work, or may be: launch what is missing, and replace what does nothing."""
    market = _market(s)
    granted, launches = _wishes(s, market)
    asked = sum(launch.count for launch in launches)
    room = s.limits.max_instances - s.holdings.occupied - asked
    want = wanted(s.demand or 0, s.limits)
    missing = max(0, min(want - s.holdings.capacity - asked, room, STEP))
    starts = _startable(s)[:missing]
    count = min(missing - len(starts), _most_after_trials(s, market))
    if count > 0:
        launches = (*launches, Launch(count=count, on_demand=market.on_demand))
    needed = want > s.holdings.capacity
    overdue = tuple(each.id for each in s.holdings.overdue) if needed else ()
    waits = needed or len(granted) < len(s.wishes)
    obstacle = _obstacle(s, market) if waits and not (starts or launches) else ""
    return Plan(
        sentence=_fitting(s, want=want, doing=_buying(starts, launches), obstacle=obstacle),
        actions=(
            *_repairs(s, replay=bool(s.demand or s.wishes), cancel=overdue),
            *([Start(ids=starts)] if starts else []),
            *launches,
        ),
        granted=granted,
    )


def _market(s: Situation) -> _Market:
    """Spot, unless EC2 refused it a moment ago; on-demand, if it has done so for too long."""
    if not holds(s.backoff, now=s.now):
        return _Market()
    starved = s.now - (s.backoff.since or s.now)
    after = s.limits.on_demand_after
    if s.backoff.kind != "capacity" or after is None or starved < after:
        return _Market(most=0, why=_next_try(s.backoff, s.now))
    if holds(s.on_demand_backoff, now=s.now):
        return _Market(most=0, why=_next_try(s.on_demand_backoff, s.now))
    return _Market(
        on_demand=True,
        why=f"{s.backoff.sentence} for {span(starved.total_seconds())}, so on-demand",
    )


def _most_after_trials(s: Situation, market: _Market) -> int:
    """What the breaker leaves of the market: nothing for a while, then one instance at a time."""
    if s.breaker.failures < MOST_BARREN:
        return market.most
    if holds(s.breaker, now=s.now) or _on_trial(s.holdings):
        return 0
    return min(1, market.most)


def _on_trial(holdings: Holdings) -> bool:
    """Whether it is yet to be seen if a launch bears fruit."""
    return any(
        not intent.judged and (intent.instances or not intent.resolved)
        for intent in holdings.intents
    )


def _wishes(s: Situation, market: _Market) -> tuple[tuple[str, ...], tuple[Launch, ...]]:
    """(ids of wishes that are carried out by this plan or were before, the launches for them).

    A person's wish is a trial too: the breaker does not hold it back.
    """
    known = {intent.wish for intent in s.holdings.intents}
    room = s.limits.max_instances - s.holdings.occupied
    granted: list[str] = []
    launches: list[Launch] = []
    for wish in s.wishes:
        if wish.id not in known and market.most == 0:
            continue
        granted.append(wish.id)
        count = min(wish.count, room)
        if wish.id not in known and count > 0:
            launch = Launch(
                count=count,
                wish=wish.id,
                max_price=wish.max_price,
                on_demand=market.on_demand,
            )
            launches.append(launch)
            room -= count
    return tuple(granted), tuple(launches)


def _startable(s: Situation) -> tuple[str, ...]:
    """Parked instances; not those that EC2 refused to start a moment ago, nor in such a pool."""
    held = {name for name, backoff in s.held.items() if holds(backoff, now=s.now)}
    return tuple(
        each.id for each in s.holdings.parked if not held & {each.id, f"{each.type} {each.subnet}"}
    )


# Repairs.


def _repairs(s: Situation, *, replay: bool, cancel: tuple[str, ...]) -> tuple[Action, ...]:
    """Settle launches, adopt replacements, cancel these requests, and end what costs money and does
    nothing for it: its request first, or EC2 starts it again.
    """
    useless = s.condemned & s.holdings.suspects.keys()
    requests = tuple(dict.fromkeys((*cancel, *_requests_of(s.holdings, useless))))
    instances = tuple(each.id for each in s.holdings.terminable if each.id in useless)
    return (
        *_settlements(s, replay=replay),
        *_adoptions(s),
        *([CancelRequests(ids=requests)] if requests else []),
        *([Terminate(ids=instances)] if instances else []),
    )


def _requests_of(holdings: Holdings, instances: Set[str]) -> Iterator[str]:
    named = {each.request for each in holdings.standing if each.id in instances}
    for request in holdings.cancellable:
        if request.instance in instances or request.id in named:
            yield request.id


def _settlements(s: Situation, *, replay: bool) -> tuple[Action, ...]:
    return tuple(
        action
        for intent in s.holdings.unresolved
        if (action := _settlement(s.holdings, intent, replay=replay))
    )


def _settlement(holdings: Holdings, intent: Intent, *, replay: bool) -> Replay | Settle | None:
    if replay and not intent.error and holdings.now - intent.created < REPLAY:
        return Replay(intent=intent)
    if holdings.now - intent.asked >= UNSEEN:
        return Settle(intent=intent, instances=holdings.launched_by(intent))
    return None  # what it launched may not show yet


def _adoptions(s: Situation) -> tuple[Action, ...]:
    return (Adopt(ids=s.untagged),) if s.untagged else ()


# Sentences.


def _fitting(s: Situation, *, want: int, doing: str, obstacle: str) -> str:
    have = s.holdings.capacity
    if s.demand is None:
        state = f"no decision: {s.trouble}"
    elif s.trouble:
        state = s.trouble
    elif s.demand:
        state = f"{many(s.demand, 'task')} in the queue, {have} of {many(want, 'instance')} there"
    elif have:
        state = f"no messages left, {many(have, 'instance')} there; making sure that it is over"
    else:
        state = "no messages left; making sure that it is over"
    if obstacle and not have:
        return obstacle
    return ": ".join(filter(None, [doing, state])) + (f"; {obstacle}" if obstacle else "")


def _buying(starts: tuple[str, ...], launches: tuple[Launch, ...]) -> str:
    count = sum(launch.count for launch in launches)
    kind = "on-demand instance" if any(each.on_demand for each in launches) else "instance"
    doing = [f"starting {many(len(starts), 'parked instance')}"] if starts else []
    doing += [f"launching {many(count, kind)}"] if count else []
    return ", ".join(doing)


def _obstacle(s: Situation, market: _Market) -> str:
    if s.breaker.failures >= MOST_BARREN:
        if holds(s.breaker, now=s.now):
            return _next_try(s.breaker, s.now)
        if _on_trial(s.holdings):
            return f"{s.breaker.sentence}; one instance is being tried"
    return market.why


def _next_try(backoff: Backoff, now: datetime) -> str:
    wait = span((backoff.until - now).total_seconds()) if backoff.until else "a moment"
    return f"{backoff.sentence}, next try in {wait}"


def _slow(ids: list[str]) -> str:
    shown = " ".join(ids[:_SHOWN]) + (" ..." if len(ids) > _SHOWN else "")
    minutes = span(SLOW_END.total_seconds())
    return f"; {many(len(ids), 'instance')} shutting down for over {minutes}: {shown}"


def _leaving(holdings: Holdings) -> str:
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
