"""Where missing instances come from (parked ones, spot, on demand), what holds them back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aws_parallelizer.core.fleet import Backoff
from chalicelib.actions import Launch
from chalicelib.holdings import Holdings
from chalicelib.refusals import holds
from chalicelib.sentences import span
from chalicelib.situation import Situation
from chalicelib.trials import MOST_BARREN

STEP = 20  # launches a tick: a wrong number of waiting messages is noticed before it is dear


@dataclass(frozen=True)
class Offer:
    """What may be bought now: at most so many instances, of which kind, and why not more."""

    most: int = STEP
    on_demand: bool = False
    why: str = ""


def offer(s: Situation) -> Offer:
    """Spot, unless EC2 refused it a moment ago; on-demand, if it has done so for too long."""
    if not holds(s.backoff, now=s.now):
        return Offer()
    starved = s.now - (s.backoff.since or s.now)
    after = s.limits.on_demand_after
    if s.backoff.kind != "capacity" or after is None or starved < after:
        return Offer(most=0, why=_next_try(s.backoff, s.now))
    if holds(s.on_demand_backoff, now=s.now):
        return Offer(most=0, why=_next_try(s.on_demand_backoff, s.now))
    return Offer(
        on_demand=True,
        why=f"{s.backoff.sentence} for {span(starved.total_seconds())}, so on-demand",
    )


def most_after_trials(s: Situation, offer: Offer) -> int:
    """What the breaker leaves of the market: nothing for a while, then one instance at a time."""
    if s.breaker.failures < MOST_BARREN:
        return offer.most
    if holds(s.breaker, now=s.now) or _on_trial(s.holdings):
        return 0
    return min(1, offer.most)


def _on_trial(holdings: Holdings) -> bool:
    """Whether it is yet to be seen if a launch bears fruit."""
    return any(
        not intent.judged and (intent.instances or not intent.resolved)
        for intent in holdings.intents
    )


def wishes(s: Situation, offer: Offer) -> tuple[tuple[str, ...], tuple[Launch, ...]]:
    """(ids of wishes that are carried out by this plan or were before, the launches for them).

    A person's wish is a trial too: the breaker does not hold it back.
    """
    known = {intent.wish for intent in s.holdings.intents}
    room = s.limits.max_instances - s.holdings.occupied
    granted: list[str] = []
    launches: list[Launch] = []
    for wish in s.wishes:
        if wish.id not in known and offer.most == 0:
            continue
        granted.append(wish.id)
        count = min(wish.count, room)
        if wish.id not in known and count > 0:
            launch = Launch(
                count=count,
                wish=wish.id,
                max_price=wish.max_price,
                on_demand=offer.on_demand,
            )
            launches.append(launch)
            room -= count
    return tuple(granted), tuple(launches)


def startable(s: Situation) -> tuple[str, ...]:
    """Parked instances; not those that EC2 refused to start a moment ago, nor in such a pool."""
    held = {name for name, backoff in s.held.items() if holds(backoff, now=s.now)}
    return tuple(
        each.id for each in s.holdings.parked if not held & {each.id, f"{each.type} {each.subnet}"}
    )


def obstacle(s: Situation, offer: Offer) -> str:
    if s.breaker.failures >= MOST_BARREN:
        if holds(s.breaker, now=s.now):
            return _next_try(s.breaker, s.now)
        if _on_trial(s.holdings):
            return f"{s.breaker.sentence}; one instance is being tried"
    return offer.why


def _next_try(backoff: Backoff, now: datetime) -> str:
    wait = span((backoff.until - now).total_seconds()) if backoff.until else "a moment"
    return f"{backoff.sentence}, next try in {wait}"
