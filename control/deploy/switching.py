"""Puts a stack's control plane to rest, and wakes it again.

At rest nothing starts by itself: no function takes from a queue, no schedule fires, and no run of
reconcile is under way, for its lease is held here. Messages stay in their queues.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.registry import Lease, Registry
from aws_parallelizer.aws.triggers import Triggers
from chalicelib.reconcile import LEASE
from deploy.commands import Say
from deploy.saying import DeployFailed, pauses
from deploy.survey import Place

_OWNER = "destroy"
_LEASE_SECONDS = 3600.0  # a destroy lasts minutes; of one that is broken off, deploy gives it back
_WAIT_SECONDS = 400.0  # a run of reconcile lasts at most as long as its lease, 310 s


def rest(place: Place, *, say: Say) -> None:
    """Put it to rest; raises DeployFailed where a run of reconcile does not end."""
    _switch(place, on=False)
    if place.registry is not None:
        _wait_for_lease(place.registry, say)


def wake(place: Place) -> bool:
    """Undo `rest`; whether anything was at rest."""
    woken = _switch(place, on=True)
    lease = _take(place.registry) if woken and place.registry else None
    if lease and place.registry:
        place.registry.give_back(LEASE, lease, now=_now())
    return woken


def _switch(place: Place, *, on: bool) -> bool:
    triggers = Triggers(clients.client("lambda"), clients.client("events"))
    rules = [triggers.switch_rule(each, on=on) for each in place.of_type("AWS::Events::Rule")]
    mappings = place.of_type("AWS::Lambda::EventSourceMapping")
    return any([*rules, *(triggers.switch_mapping(each, on=on) for each in mappings)])


def _wait_for_lease(registry: Registry, say: Say) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    for number, pause in enumerate(pauses()):
        if _take(registry):
            return
        if number == 0:
            say("waiting until the run of reconcile that is under way has ended")
        if time.monotonic() > deadline:
            raise DeployFailed(
                f"a run of reconcile has not ended in {_WAIT_SECONDS:.0f} s; try again"
            )
        time.sleep(pause)


def _take(registry: Registry) -> Lease | None:
    return registry.take_lease(LEASE, owner=_OWNER, now=_now(), seconds=_LEASE_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)
