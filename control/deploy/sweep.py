"""Ends all that a stack has in EC2, found by its tag: whatever its jobs and its ledger say.

Requests are cancelled before instances are terminated, for a persistent request starts its instance
again; an instance is terminated only when no live request stands behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from aws_parallelizer.aws.ec2 import is_unknown
from aws_parallelizer.core.fleet import Instance, Intent, SpotRequest
from chalicelib.holdings import UNSEEN, Holdings
from deploy import survey
from deploy.commands import Say
from deploy.saying import DeployFailed
from deploy.survey import Place

_PATIENCE = timedelta(
    minutes=15
)  # EC2 ends an instance in a minute or two, and shows a launch in five
_POLL_SECONDS = 3.0


def sweep(
    place: Place,
    intents: Iterable[Intent],
    *,
    say: Say,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """End everything and wait until it is gone; how many instances and requests there were. Raises
    DeployFailed.
    """
    launches, deadline = tuple(intents), now() + _PATIENCE
    touched: dict[str, datetime] = {}  # each with the moment of the first call
    told = ""
    while True:
        holdings = survey.holdings(place, launches, now=now())
        check_protected(holdings.standing)
        touched = {**dict.fromkeys(_act(place, holdings), holdings.now), **touched}
        line = _remaining(holdings, touched)
        if not line:
            return len(touched)
        if line != told:
            say(f"  {line}")
            told = line
        if now() > deadline:
            raise DeployFailed(f"after {_PATIENCE} there are still {line}; try again")
        sleep(_POLL_SECONDS)


def check_protected(instances: Iterable[Instance]) -> None:
    """Raise DeployFailed if people have marked one of them as not to be ended."""
    names = " ".join(each.id for each in instances if each.protected)
    if names:
        raise DeployFailed(
            f"these instances bear the tag parallelizer:protect, so nothing ends them: {names}. "
            "Take the tag off, or the instances out of the stack, and try again"
        )


def _act(place: Place, holdings: Holdings) -> set[str]:
    """Do what can be done now; the ids that it was done to."""
    requests = [each.id for each in holdings.live_requests]
    instances = [each.id for each in holdings.terminable]
    _accepted("cancel", place.ec2.cancel, requests)
    _accepted("terminate", place.ec2.terminate, instances)
    return {*requests, *instances}


def _accepted(
    verb: str, call: Callable[[Sequence[str]], Mapping[str, str]], ids: Sequence[str]
) -> None:
    refused = call(ids) if ids else {}
    # One that has gone since it was seen needs nothing more.
    lasting = {id_: why for id_, why in refused.items() if not is_unknown(why)}
    if lasting:
        reasons = "; ".join(f"{id_}: {why}" for id_, why in sorted(lasting.items()))
        raise DeployFailed(f"EC2 would not {verb} {reasons}. Put that right, and try again")


def _remaining(holdings: Holdings, touched: Mapping[str, datetime]) -> str:
    """What is not gone yet, empty for nothing. A launch that nobody has seen for so long that EC2
    must show it is no more.
    """
    going = [*holdings.standing, *holdings.ending]
    requests = holdings.live_requests
    hidden = [each for each in holdings.requests if _hides(each, holdings, touched)]
    unseen = [*hidden, *(each for each in holdings.intents if _may_come(each, holdings))]
    parts = [
        f"{len(going)} instances ({' '.join(sorted(each.id for each in going)[:5])})"
        if going
        else "",
        f"{len(requests)} spot requests" if requests else "",
        f"{len(unseen)} launches that EC2 may not show yet" if unseen else "",
    ]
    return ", ".join(filter(None, parts))


def _hides(request: SpotRequest, holdings: Holdings, touched: Mapping[str, datetime]) -> bool:
    """Whether the request that was cancelled here names an instance so new that EC2 may not show it
    yet.
    """
    recent = request.id in touched and holdings.now - touched[request.id] < UNSEEN
    return recent and request.instance not in {"", *(each.id for each in holdings.instances)}


def _may_come(intent: Intent, holdings: Holdings) -> bool:
    recent = holdings.now - intent.asked < UNSEEN
    shown = set(intent.instances) <= {each.id for each in holdings.instances}
    return recent and not (intent.resolved and shown)
