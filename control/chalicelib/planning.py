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
from dataclasses import replace

from aws_parallelizer.core import money
from chalicelib import market
from chalicelib.actions import Launch, Plan, Start, many
from chalicelib.ending import end_now, let_go
from chalicelib.repairs import repairs
from chalicelib.sentences import leaving, slow_to_end
from chalicelib.situation import Limits, Situation


def plan(situation: Situation) -> Plan:
    """The plan for one job."""
    decided = _decided(situation)
    slow = [each.id for each in situation.holdings.slow_to_end]
    return replace(decided, sentence=decided.sentence + slow_to_end(slow)) if slow else decided


def _decided(situation: Situation) -> Plan:
    if situation.stopped or situation.deleting:
        return end_now(situation)
    if situation.empty:
        return let_go(situation)
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


def _fit(s: Situation) -> Plan:
    """There is work, or may be: launch what is missing, and replace what does nothing."""
    offer = market.offer(s)
    granted, launches = market.wishes(s, offer)
    asked = sum(launch.count for launch in launches)
    room = s.limits.max_instances - s.holdings.occupied - asked
    want = wanted(s.demand or 0, s.limits)
    missing = max(0, min(want - s.holdings.capacity - asked, room, market.STEP))
    starts = market.startable(s)[:missing]
    count = min(missing - len(starts), market.most_after_trials(s, offer))
    if count > 0:
        launches = (*launches, Launch(count=count, on_demand=offer.on_demand))
    needed = want > s.holdings.capacity
    overdue = tuple(each.id for each in s.holdings.overdue) if needed else ()
    waits = needed or len(granted) < len(s.wishes)
    obstacle = market.obstacle(s, offer) if waits and not (starts or launches) else ""
    return Plan(
        sentence=_fitting(s, want=want, doing=_buying(starts, launches), obstacle=obstacle),
        actions=(
            *repairs(s, replay=bool(s.demand or s.wishes), cancel=overdue),
            *([Start(ids=starts)] if starts else []),
            *launches,
        ),
        granted=granted,
    )


def _run_dry(s: Situation) -> Plan:
    """The budget is spent: nothing is launched again, and workers finish what they have begun."""
    hold = f"the budget of {money.dollars(s.limits.budget or 0)} is spent"
    ids = tuple(request.id for request in s.holdings.cancellable)
    return Plan(
        sentence=f"{hold} ({money.dollars(s.spent)}): {_finishing(s)}",
        actions=repairs(s, replay=False, cancel=ids),
        granted=tuple(wish.id for wish in s.wishes),
        hold=hold,
    )


def _pause(s: Situation) -> Plan:
    """A person paused the job: nothing is launched, and nothing is started by EC2 either."""
    there = {each.id for each in s.holdings.standing}
    ids = tuple(each.id for each in s.holdings.cancellable if each.instance not in there)
    return Plan(
        sentence=f"paused: {_finishing(s)}",
        actions=repairs(s, replay=False, cancel=ids),
    )


def _finishing(s: Situation) -> str:
    running = len(s.holdings.working)
    left = f", {many(s.demand, 'task')} in the queue" if s.demand else ""
    if running:
        return f"{many(running, 'instance')} may finish what they have begun{left}"
    return f"{leaving(s.holdings)}{left}"


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
