"""What instances cost: pure. Sightings of instances and a list of prices in, dollars out.

EC2 bills an instance by the second from `running` to its end, 60 s at least each time that it
starts, and not while it is pending or stopped
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html). Spot costs the
price that is in effect, second by second.

Two steps. `observed` notes how far each instance is billed; `charged` counts, at the prices of
those seconds, what is noted and not yet counted. So no second is counted twice, however often a
tick is repeated, and none is lost when ticks or prices come late. An end that nobody saw is put as
late as it can be: what is said to be spent is never less than the bill of these instances.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from aws_parallelizer.core.fleet import Instance
from aws_parallelizer.core.spending import Seen, Spending, Uptime

MINIMUM_SECONDS = 60  # EC2 bills so much each time that an instance starts
_HOUR = 3600
_KEEP_SECONDS = 2 * _HOUR  # EC2 shows ended instances for about an hour
_MOST = 2000  # uptimes in a fleet's row, about 75 bytes each


class Pool(NamedTuple):
    """What a spot price is of."""

    type: str
    zone: str


class Change(NamedTuple):
    """From `at` (seconds since 1970) on, an hour costs `hourly` dollars."""

    at: int
    hourly: float


@dataclass(frozen=True)
class Prices:
    """Dollars an hour: of spot, each pool's changes in the order of time; on demand, by type."""

    spot: Mapping[Pool, Sequence[Change]] = field(default_factory=dict)
    on_demand: Mapping[str, float] = field(default_factory=dict)

    def cost(self, uptime: Uptime, *, start: int, end: int) -> float | None:
        """Dollars of the seconds from `start` to `end`; None where no price is known."""
        if not uptime.spot:
            hourly = self.on_demand.get(uptime.type)
            return None if hourly is None else hourly * (end - start) / _HOUR
        changes = self.spot.get(Pool(uptime.type, uptime.zone))
        if not changes:
            return None
        return sum(hourly * seconds for hourly, seconds in _spans(changes, start, end)) / _HOUR

    def hourly(self, uptime: Uptime) -> float | None:
        """Dollars an hour that it costs now."""
        if not uptime.spot:
            return self.on_demand.get(uptime.type)
        changes = self.spot.get(Pool(uptime.type, uptime.zone))
        return changes[-1].hourly if changes else None


def _spans(changes: Sequence[Change], start: int, end: int) -> Iterator[tuple[float, int]]:
    """(dollars an hour, for so many seconds); before the first change its price holds too."""
    for i, change in enumerate(changes):
        first = max(start, change.at) if i else start
        last = min(end, changes[i + 1].at) if i + 1 < len(changes) else end
        if first < last:
            yield change.hourly, last - first


def observed(
    spending: Spending, instances: Iterable[Instance], *, now: datetime, since: datetime
) -> Spending:
    """The spending with what EC2 shows `now`, ended instances too. Time before `since`, when the
    job was made, is not the job's.
    """
    look = _Look(now=_seconds(now), since=_seconds(since), counted=_counted(spending))
    latest = {each.instance: each for each in sorted(spending.uptimes, key=lambda u: u.began)}
    listed = {instance.id: instance for instance in instances}
    noted = [
        uptime
        for instance in listed.values()
        for uptime in _noted(instance, latest.get(instance.id), look)
    ]
    earlier = [each for each in spending.uptimes if each is not latest[each.instance]]
    gone = [_missed(each, now=look.now) for id_, each in latest.items() if id_ not in listed]
    kept = (
        *(each for each in noted if _is_due(each) or each.instance in listed),
        *(each for each in earlier if _is_due(each)),
        *(each for each in gone if _is_due(each) or look.now - each.until < _KEEP_SECONDS),
    )
    return msgspec.structs.replace(spending, at=max(spending.at or now, now), uptimes=kept)


@dataclass(frozen=True)
class _Look:
    """When EC2 was looked at, from when on time is the job's, and up to when an instance that is
    not known is counted already (0 = not at all).
    """

    now: int
    since: int
    counted: int


def _counted(spending: Spending) -> int:
    """Of a fleet that is larger than its row, some instances are not remembered."""
    full = len(spending.uptimes) >= _MOST and spending.at
    return _seconds(spending.at) if full and spending.at else 0


def _noted(instance: Instance, known: Uptime | None, look: _Look) -> Iterator[Uptime]:
    launched = _seconds(instance.launched)
    began = max(launched, look.since)
    if known and began <= known.began:
        yield _extended(known, instance, now=look.now)
        return
    if known:
        yield _closed(known, at=min(began, look.now))  # stopped and started between two looks
    foreign = launched < look.since and instance.state != "running"
    if instance.state == "pending" or foreign:
        return
    paid = max(began, min(look.counted, look.now))
    fresh = Uptime(
        instance.id, instance.type, instance.zone, instance.spot, began, paid=paid, until=paid
    )
    yield _extended(fresh, instance, now=look.now)


def _extended(uptime: Uptime, instance: Instance, *, now: int) -> Uptime:
    if instance.state == "pending":
        return uptime
    if instance.state == "running":
        return _billed(uptime, until=now, seen=Seen.RUNNING)
    ended = _seconds(instance.ended) if instance.ended else now
    return _closed(uptime, at=min(ended, now))


def _closed(uptime: Uptime, *, at: int) -> Uptime:
    return uptime if uptime.seen == Seen.ENDED else _billed(uptime, until=at, seen=Seen.ENDED)


def _missed(uptime: Uptime, *, now: int) -> Uptime:
    running = uptime.seen == Seen.RUNNING
    return _billed(uptime, until=now, seen=Seen.MISSING) if running else uptime


def _billed(uptime: Uptime, *, until: int, seen: Seen) -> Uptime:
    least = uptime.began + MINIMUM_SECONDS
    return msgspec.structs.replace(uptime, until=max(uptime.until, until, least), seen=seen)


def _is_due(uptime: Uptime) -> bool:
    return uptime.seen == Seen.RUNNING or uptime.paid < uptime.until


def _bounded(uptimes: Sequence[Uptime]) -> tuple[tuple[Uptime, ...], Sequence[Uptime]]:
    """(those that are kept, those for which the row has no room: first the ones that matter least)

    Ended and counted ones are kept for a while, for an instance that shows again must not be
    counted again.
    """
    ordered = sorted(
        uptimes,
        key=lambda each: (
            each.seen == Seen.RUNNING,
            each.paid < each.until,
            each.until,
            each.instance,
        ),
    )
    excess = max(0, len(ordered) - _MOST)
    return tuple(ordered[excess:]), ordered[:excess]


def charged(spending: Spending, prices: Prices) -> Spending:
    """The spending with all counted that has a price."""
    added = 0.0
    uptimes = []
    for uptime in spending.uptimes:
        cost = prices.cost(uptime, start=uptime.paid, end=uptime.until)
        added += cost or 0.0
        uptimes.append(
            uptime if cost is None else msgspec.structs.replace(uptime, paid=uptime.until)
        )
    kept, dropped = _bounded(uptimes)
    lost = {each.type for each in dropped if each.paid < each.until} | set(spending.lost)
    waiting = {each.type for each in kept if each.paid < each.until}
    return msgspec.structs.replace(
        spending,
        dollars=spending.dollars + added,
        hourly=_total(prices.hourly(each) for each in uptimes if each.seen == Seen.RUNNING),
        uptimes=kept,
        unpriced=tuple(sorted(waiting | lost)),
        lost=tuple(sorted(lost)),
    )


def _total(hourly: Iterable[float | None]) -> float | None:
    total = 0.0
    for each in hourly:
        if each is None:
            return None
        total += each
    return total


def due_since(spending: Spending) -> datetime | None:
    """From when on prices are needed to count all spot time that is noted; None = none is."""
    times = [each.paid for each in spending.uptimes if each.spot and each.paid < each.until]
    return datetime.fromtimestamp(min(times), UTC) if times else None


def overspent(spending: Spending, budget: float | None) -> bool:
    """Whether a budget in dollars is used up; never without one."""
    return budget is not None and spending.dollars >= budget


def unaffordable(
    types: Iterable[str], on_demand: Mapping[str, float], *, budget: float | None
) -> tuple[str, ...]:
    """The types that may not be launched on demand: under a budget, those without a price."""
    if budget is None:
        return ()
    return tuple(each for each in types if each not in on_demand)


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Dollars; None = not known. `forecast` = spent when all open tasks are done; `left` of the
    budget.
    """

    per_task: float | None
    forecast: float | None
    left: float | None


def outlook(
    spending: Spending,
    *,
    done: int,
    opened: int,
    eta_seconds: float | None,
    budget: float | None,
) -> Outlook:
    """What may be said of a job's costs, `done` and `opened` = numbers of tasks."""
    if spending.at is None:
        return Outlook(per_task=None, forecast=None, left=None)
    per_task = spending.dollars / done if done else None
    to_come: float | None = None
    if opened == 0:
        to_come = 0.0
    elif eta_seconds is not None and spending.hourly:
        to_come = spending.hourly * eta_seconds / _HOUR
    elif per_task is not None:
        to_come = per_task * opened
    return Outlook(
        per_task=per_task,
        forecast=None if to_come is None else spending.dollars + to_come,
        left=None if budget is None else max(0.0, budget - spending.dollars),
    )


def dollars(amount: float) -> str:
    """An amount for people: cents, and of less than ten cents two digits that say something."""
    if amount < 0:
        return f"-{dollars(-amount)}"
    if amount >= 0.1 or amount == 0:
        return f"${amount:,.2f}"
    if amount < 1e-6:
        return "under $0.000001"
    return f"${amount:.{1 - math.floor(math.log10(amount))}f}"


def _seconds(time: datetime) -> int:
    return int(time.timestamp())
