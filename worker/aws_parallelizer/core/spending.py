"""What a job's instances cost so far, as the fleet's row keeps it, and what they cost an hour."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class Seen(StrEnum):
    """How an instance was last seen; `missing` = it ran, and then EC2 did not list it."""

    RUNNING = "running"
    MISSING = "missing"
    ENDED = "ended"


class Uptime(msgspec.Struct, frozen=True, array_like=True):
    """One stretch of time in which an instance ran, from a launch or a start to its end. Times are
    whole seconds since 1970, for EC2 bills by the second.

    `until` = how far it is known to be billed, `paid` = how far of that is counted in dollars.
    Stored as an array: there are as many as instances, and DynamoDB takes 400 KB a row.
    """

    instance: str
    type: str
    zone: str
    spot: bool
    began: int
    paid: int
    until: int
    seen: Seen = Seen.RUNNING


class Spending(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """`dollars` counted up to `at`; `hourly` = dollars an hour of what ran then, None = not known.

    `unpriced` are instance types of which some time is not in `dollars`, as no price is known;
    `lost` those of which such time was so old that it was dropped.
    """

    dollars: float = 0.0
    at: datetime | None = None
    hourly: float | None = None
    uptimes: tuple[Uptime, ...] = ()
    unpriced: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class PriceList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Dollars an hour on demand by instance type, as they were in the stack's region at `read`."""

    region: str
    read: datetime
    on_demand: dict[str, float]
    version: int = 0
