"""Why EC2 did not launch, in five classes; each has its back-off and its sentence. Pure.

class          what it means                                              next try
capacity       a pool has no spare machines now                           30 s, doubling to 15 min
price          every pool costs more than maxPrice                        10 min, doubling to 1 h
quota          the account may not have more                              5 min, doubling to 30 min
throttle       too many calls a second                                    30 s, doubling to 10 min
configuration  a parameter or the stack names what is not there or not    10 s, doubling to 10 min,
               allowed                                                    or when parameters change
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from aws_parallelizer.core.fleet import Backoff, Refusal
from aws_parallelizer.core.launch_data import MAKE_SPOT_ROLE


class Class(StrEnum):
    """What kind of obstacle it is, the most general first: one that stops every pool decides."""

    THROTTLE = "throttle"
    QUOTA = "quota"
    PRICE = "price"
    CAPACITY = "capacity"
    CONFIGURATION = "configuration"


class _Span(NamedTuple):
    first: timedelta
    longest: timedelta


_SPANS = {
    Class.THROTTLE: _Span(timedelta(seconds=30), timedelta(minutes=10)),
    Class.QUOTA: _Span(timedelta(minutes=5), timedelta(minutes=30)),
    Class.PRICE: _Span(timedelta(minutes=10), timedelta(hours=1)),
    Class.CAPACITY: _Span(timedelta(seconds=30), timedelta(minutes=15)),
    Class.CONFIGURATION: _Span(timedelta(seconds=10), timedelta(minutes=10)),
}

_LONGEST = timedelta(hours=1)  # any back-off: what seems longer was written by a wrong clock
_FORGET = timedelta(hours=1)  # a pool's refusal of so long ago says nothing about its next one
_START_AGAIN = timedelta(minutes=15)  # meanwhile an instance is launched in its place
_OF_ONE_POOL = (Class.CAPACITY, Class.PRICE)

_CODES = {
    "RequestLimitExceeded": Class.THROTTLE,
    "Throttling": Class.THROTTLE,
    "ThrottlingException": Class.THROTTLE,
    "EC2ThrottledException": Class.THROTTLE,
    "InternalError": Class.THROTTLE,  # of a pool: EC2 could not, and says no more
    "ServiceUnavailable": Class.THROTTLE,
    "Unavailable": Class.THROTTLE,
    "MaxSpotInstanceCountExceeded": Class.QUOTA,
    "MaxSpotFleetRequestCountExceeded": Class.QUOTA,
    "MaxFleetCountExceeded": Class.QUOTA,
    "VcpuLimitExceeded": Class.QUOTA,
    "InstanceLimitExceeded": Class.QUOTA,
    "VolumeLimitExceeded": Class.QUOTA,
    "SpotMaxPriceTooLow": Class.PRICE,
    "InsufficientInstanceCapacity": Class.CAPACITY,
    "InsufficientCapacity": Class.CAPACITY,
    "InsufficientHostCapacity": Class.CAPACITY,
    "InsufficientFreeAddressesInSubnet": Class.CAPACITY,
    "UnfulfillableCapacity": Class.CAPACITY,
    "Unsupported": Class.CAPACITY,  # this type is not to be had in this zone; others are
    "UnsupportedOperation": Class.CAPACITY,
}

NO_MORE_FLEETS = "MaxFleetCountExceeded"  # of which RunInstances knows nothing
ANOTHER_CALL = "IdempotentParameterMismatch"  # the token made a launch, of another call
_NO_ROLE = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
_NOT_ALLOWED = "UnauthorizedOperation"
_ENCODED = "Encoded authorization failure message:"
# https://github.com/aws/aws-parallelcluster-node/pull/415 has the words.
_PRICES = re.compile(r"price of (\d*\.?\d+) .* price of (\d*\.?\d+)")

UNKNOWN_PRICE = "UnknownPrice"  # not EC2's word: under a budget we launch nothing of the kind


def class_of(refusal: Refusal) -> Class:
    """The refusal's class; a code that is not known is something to be looked at."""
    return _CODES.get(refusal.code, Class.CONFIGURATION)


def decisive(refusals: Sequence[Refusal]) -> Refusal:
    """The refusal that says most about a launch which brought nothing."""
    order = list(Class)
    return min(refusals, key=lambda refusal: order.index(class_of(refusal)))


def sentence(refusals: Sequence[Refusal], *, pools: int) -> str:
    """One sentence for people; `pools` = how many were asked."""
    first = decisive(refusals)
    same = {each.pool for each in refusals if class_of(each) == class_of(first)}
    match class_of(first):
        case Class.CAPACITY:
            return f"no spot capacity in {len(same)} of {max(pools, len(same))} pools"
        case Class.PRICE:
            return f"spot costs more than maxPrice allows ({_cheapest(refusals)})"
        case Class.QUOTA:
            return f"the account's EC2 quota is used up ({_said(first)})"
        case Class.THROTTLE:
            return "EC2 takes no more calls for the moment"
        case Class.CONFIGURATION if first.code == UNKNOWN_PRICE:
            return first.message
        case Class.CONFIGURATION if first.code == _NO_ROLE:
            return f"the account lacks the role for spot instances: run once {MAKE_SPOT_ROLE}"
        case Class.CONFIGURATION if first.code == _NOT_ALLOWED:
            return f"EC2 refuses to launch ({_said(_readable(first))})"
        case Class.CONFIGURATION:
            return f"EC2 refuses to launch ({_said(first)})"


def after_refusal(
    backoff: Backoff, refusals: Sequence[Refusal], *, pools: int, configuration: str, now: datetime
) -> Backoff:
    """The back-off after a launch that brought nothing. `configuration` is the fingerprint of what
    it was made from.
    """
    return _longer(
        backoff,
        class_of(decisive(refusals)),
        said=sentence(refusals, pools=pools),
        configuration=configuration,
        now=now,
    )


def after_obstacle(backoff: Backoff, said: str, *, configuration: str, now: datetime) -> Backoff:
    """The back-off when what a launch needs is not there: only something else helps."""
    return _longer(backoff, Class.CONFIGURATION, said=said, configuration=configuration, now=now)


def held_after(
    held: Mapping[str, Backoff],
    *,
    refusals: Sequence[Refusal],
    succeeded: Collection[str],
    not_started: Collection[str] = (),
    now: datetime,
) -> dict[str, Backoff]:
    """The pools and parked instances to leave alone, after what EC2 refused in pools, where it
    launched, and which parked instances it did not start. Those that were left alone long enough
    ago are forgotten.
    """
    kept = {
        name: backoff
        for name, backoff in held.items()
        if name not in succeeded and backoff.until and now - backoff.until < _FORGET
    }
    for refusal in refusals:
        kind = class_of(refusal)
        if refusal.pool and kind in _OF_ONE_POOL and refusal.pool not in succeeded:
            before = kept.get(refusal.pool, Backoff())
            if before.until is None or before.until <= now:
                kept[refusal.pool] = _longer(
                    before, kind, said=refusal.code, configuration="", now=now
                )
    for id_ in not_started:
        kept[id_] = Backoff(failures=1, until=now + _START_AGAIN, sentence="did not start")
    return kept


def until_a_pool_is_free(
    backoff: Backoff, held: Mapping[str, Backoff], *, pools: int, now: datetime
) -> Backoff:
    """The back-off while each pool is left alone: until the first of them may be asked again."""
    ends = [each.until for each in held.values() if each.until is not None and each.until > now]
    return Backoff(
        failures=backoff.failures,
        until=min(ends, default=now),
        sentence=f"no spot capacity in {pools} of {pools} pools",
        kind=Class.CAPACITY,
        since=backoff.since or now,
    )


def is_held(held: Mapping[str, Backoff], name: str, *, now: datetime) -> bool:
    """Whether a pool or a parked instance is to be left alone."""
    found = held.get(name)
    return found is not None and holds(found, now=now)


def holds(backoff: Backoff, *, now: datetime) -> bool:
    """Whether it is not over yet."""
    return backoff.until is not None and timedelta(0) < backoff.until - now <= _LONGEST


def _longer(
    backoff: Backoff, kind: Class, *, said: str, configuration: str, now: datetime
) -> Backoff:
    span = _SPANS[kind]
    wait = min(span.first * 2 ** min(backoff.failures, 16), span.longest)
    same = backoff.kind == kind
    return Backoff(
        failures=backoff.failures + 1,
        until=now + wait,
        sentence=said,
        kind=kind,
        since=backoff.since if same and backoff.since else now,
        configuration=configuration if kind == Class.CONFIGURATION else "",
    )


def _cheapest(refusals: Sequence[Refusal]) -> str:
    """What the cheapest pool costs, as far as EC2 says."""
    told = [
        (float(found[2]), float(found[1]), each)
        for each in refusals
        if class_of(each) is Class.PRICE and (found := _PRICES.search(each.message))
    ]
    if not told:
        return _said(decisive(refusals))
    costs, offered, where = min(told)
    pool = f" in {where.pool}" if where.pool else ""
    return f"${costs:g} an hour{pool}, maxPrice is ${offered:g}"


def _readable(refusal: Refusal) -> Refusal:
    """Without what only AWS can read."""
    said, encoded, _ = refusal.message.partition(_ENCODED)
    hint = "the log has what `aws sts decode-authorization-message` decodes" if encoded else ""
    return refusal._replace(message=" ".join(filter(None, [said.strip(), hint])))


def _said(refusal: Refusal) -> str:
    return f"{refusal.code}: {refusal.message}"[:300]
