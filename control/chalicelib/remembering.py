"""What the fleet's row holds after a tick: pure. The row before, what was seen and decided, and
what came of it go in; the row after comes out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from aws_parallelizer.core.fleet import Backoff, Fleet, Refusal, Streak
from chalicelib import emptiness, refusals, trials
from chalicelib.actions import Plan
from chalicelib.execution import Report
from chalicelib.holdings import Holdings
from chalicelib.trials import Verdict

_STORED = 2000  # instances, and requests, in the fleet's row: DynamoDB takes 400 KB
_RECLAIMED = Refusal("InsufficientInstanceCapacity", "EC2 takes instances back")
_SECOND_LOOK = timedelta(seconds=60)  # apart from the first, before an instance is condemned


def suspected(fleet: Fleet, holdings: Holdings) -> dict[str, Streak]:
    """For how many readings instances have done nothing for their money."""
    return {
        id_: emptiness.after(fleet.suspects.get(id_, Streak()), said=True, now=holdings.now)
        for id_ in holdings.suspects
    }


def condemned(fleet: Fleet, *, now: datetime) -> frozenset[str]:
    """The suspects that two readings, some time apart, agree on."""
    return frozenset(
        id_
        for id_, streak in fleet.suspects.items()
        if emptiness.is_proof(streak, readings=2, seconds=_SECOND_LOOK.total_seconds(), now=now)
    )


def judged(fleet: Fleet, told: tuple[Verdict, ...], *, configuration: str, now: datetime) -> Fleet:
    """With the verdicts on its launches; other parameters than those that failed begin anew."""
    barren, breaker = fleet.barren, fleet.breaker
    if breaker.configuration and breaker.configuration != configuration:
        barren, breaker = 0, Backoff()
    counted = trials.counted(barren, told)
    if counted != barren:
        breaker = trials.breaker(counted, told, configuration=configuration, now=now)
    return msgspec.structs.replace(fleet, barren=counted, breaker=breaker)


def without_stale_obstacles(fleet: Fleet, *, configuration: str) -> Fleet:
    """A wrong configuration holds launches back only while it stands."""
    wrong = fleet.backoff.configuration
    if wrong and wrong != configuration:
        return msgspec.structs.replace(fleet, backoff=Backoff())
    return fleet


def waiting(fleet: Fleet, holdings: Holdings) -> dict[str, datetime]:
    """Since when requests have been without an instance that is shown."""
    ids = [*holdings.waiting, *(each.id for each in holdings.cancelled_unseen)]
    return _since(fleet.waiting, ids, now=holdings.now)


def ending(fleet: Fleet, holdings: Holdings) -> dict[str, datetime]:
    """Since when instances have been shutting down."""
    return _since(fleet.ending, [each.id for each in holdings.ending], now=holdings.now)


def _since(
    known: Mapping[str, datetime], ids: Iterable[str], *, now: datetime
) -> dict[str, datetime]:
    return {id_: min(known.get(id_, now), now) for id_ in ids}


def seen(fleet: Fleet, holdings: Holdings, decided: Plan, *, job_version: int) -> Fleet:
    """With what is there and what was decided; pools that EC2 takes instances from are marked."""
    present = [each for each in holdings.instances if each.state != "terminated"]
    doomed = [each for each in present if each.id in holdings.doomed]
    now = holdings.now
    return msgspec.structs.replace(
        fleet,
        observed=now,
        job_version=job_version,
        instances=tuple(present[:_STORED]),
        requests=holdings.live_requests[:_STORED],
        states=dict(Counter(each.state for each in present)),
        sentence=decided.sentence,
        waiting=waiting(fleet, holdings),
        ending=ending(fleet, holdings),
        draining_since=min(fleet.draining_since or now, now) if decided.draining else None,
        held=refusals.held_after(
            fleet.held,
            refusals=[_RECLAIMED._replace(pool=f"{one.type} {one.subnet}") for one in doomed],
            succeeded=(),
            now=now,
        ),
    )


def carried_out(fleet: Fleet, report: Report, *, configuration: str, now: datetime) -> Fleet:
    """With what came of the plan."""
    held = refusals.held_after(
        fleet.held,
        refusals=report.spot.refusals,
        succeeded=report.spot.gave,
        not_started=report.not_started,
        now=now,
    )
    backoff = _spot_backoff(fleet, report, held, configuration=configuration, now=now)
    on_demand = _on_demand_backoff(fleet, report, configuration=configuration, now=now)
    news = [*report.refused, *_misgiven(report)]
    news += [each.sentence for each in _changed((fleet.backoff, backoff))]
    news += [each.sentence for each in _changed((fleet.on_demand_backoff, on_demand))]
    return msgspec.structs.replace(
        fleet,
        held=held,
        backoff=backoff,
        on_demand_backoff=on_demand,
        sentence="; ".join(filter(None, [*news, fleet.sentence])),
    )


def _misgiven(report: Report) -> Iterator[str]:
    if report.misgiven:
        yield f"EC2 gave on-demand for spot, which is ended: {' '.join(report.misgiven)}"


def _changed(*pairs: tuple[Backoff, Backoff]) -> Iterable[Backoff]:
    return (after for before, after in pairs if after != before)


def _spot_backoff(
    fleet: Fleet,
    report: Report,
    held: dict[str, Backoff],
    *,
    configuration: str,
    now: datetime,
) -> Backoff:
    backoff = fleet.backoff
    if report.obstacle:
        return refusals.after_obstacle(
            backoff, report.obstacle, configuration=configuration, now=now
        )
    if report.spot.instances:
        return Backoff()
    if report.spot.refusals:
        return refusals.after_refusal(
            backoff,
            report.spot.refusals,
            pools=report.spot.pools,
            configuration=configuration,
            now=now,
        )
    if report.held:
        return refusals.until_a_pool_is_free(backoff, held, pools=report.held, now=now)
    return backoff


def _on_demand_backoff(
    fleet: Fleet, report: Report, *, configuration: str, now: datetime
) -> Backoff:
    result = report.on_demand
    if result.instances:
        return Backoff()
    if not result.refusals:
        return fleet.on_demand_backoff
    longer = refusals.after_refusal(
        fleet.on_demand_backoff,
        result.refusals,
        pools=result.pools,
        configuration=configuration,
        now=now,
    )
    return msgspec.structs.replace(longer, sentence=f"on-demand: {longer.sentence}")
