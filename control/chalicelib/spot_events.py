"""What EC2 says of spot instances through EventBridge: a mark for each, which reconcile reads.

EC2 warns two minutes before it takes an instance back, and may advise to let it go before that. Its
events are those of the whole account, of best effort, and may come twice or in any order; so a mark
is only a hint, and one of somebody else's instance is a row that reconcile removes.
"""

from __future__ import annotations

import contextlib
import logging
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from aws_parallelizer.core.errors import Conflict
from aws_parallelizer.core.fleet import Mark
from chalicelib import steps
from chalicelib.context import Context

log = logging.getLogger(__name__)

ADVICE = "rebalance"
_TRIES = 5  # to write a mark that another call writes too

InstanceId = Annotated[str, msgspec.Meta(pattern=r"\Ai-[0-9a-f]{1,32}\Z")]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Taken(msgspec.Struct, frozen=True, rename="kebab"):
    instance_id: InstanceId
    instance_action: Literal["terminate", "stop", "hibernate"]


class _Advised(msgspec.Struct, frozen=True, rename="kebab"):
    instance_id: InstanceId


class Interruption(
    msgspec.Struct,
    frozen=True,
    tag_field="detail-type",
    tag="EC2 Spot Instance Interruption Warning",
):
    """EC2 takes the instance back in two minutes."""

    source: Literal["aws.ec2"]
    time: Moment
    detail: _Taken


class Advice(
    msgspec.Struct,
    frozen=True,
    tag_field="detail-type",
    tag="EC2 Instance Rebalance Recommendation",
):
    """EC2 may take the instance back soon."""

    source: Literal["aws.ec2"]
    time: Moment
    detail: _Advised


class NoSpotEvent(Exception):
    """An event of another kind, or not as EC2 writes them."""


def decode(event: object) -> Mark:
    """The mark that an event asks for; raises NoSpotEvent."""
    try:
        found = msgspec.convert(event, Interruption | Advice)
        at = found.time.astimezone(UTC)
    except (ValueError, OverflowError) as error:  # of values, of their encoding, of the calendar
        raise NoSpotEvent(str(error)) from error
    action = found.detail.instance_action if isinstance(found, Interruption) else ADVICE
    return Mark(instance=found.detail.instance_id, action=action, at=at)


def newer(mark: Mark, standing: Mark | None) -> Mark | None:
    """What to write where `standing` is; None where `mark` says nothing new.

    Advice never takes the place of a warning, nor an older word that of a newer one.
    """
    if standing is None:
        return mark
    graver = standing.action == ADVICE != mark.action
    milder = mark.action == ADVICE != standing.action
    if graver or (mark.at > standing.at and not milder):
        return msgspec.structs.replace(mark, version=standing.version)
    return None


def take(context: Context, event: object) -> None:
    """Mark the event's instance and nudge reconcile. What is no spot event is passed over: sent
    again it would be none either.
    """
    try:
        mark = decode(event)
    except NoSpotEvent as error:
        log.warning("an event is passed over, for it is no spot event: %s", error)
        return
    if _write(context, mark):
        log.info("EC2 says %s of instance %s", mark.action, mark.instance)
        steps.nudge_soon(context)


def _write(context: Context, mark: Mark) -> bool:
    """Whether the mark said something new."""
    for _ in range(_TRIES):
        written = newer(mark, context.registry.mark(mark.instance))
        if written is None:
            return False
        with contextlib.suppress(Conflict):  # another event of it came between: read what it said
            context.registry.put_mark(written)
            return True
    raise Conflict(f"instance {mark.instance} is being marked by many others; Lambda tries again")
