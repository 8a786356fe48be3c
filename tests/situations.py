"""Builders of what a plan rests on, for the tests of planning."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_parallelizer.core.fleet import Beat, Instance, Intent, Mark, Phase, SpotRequest
from chalicelib.actions import Launch, Plan
from chalicelib.holdings import Holdings
from chalicelib.situation import Limits, Situation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(max_instances=10, drain_seconds=600, slots=2)


def instance(
    number: int,
    *,
    state: str = "running",
    request: str = "",
    launch: str = "",
    age: float = 0,
    spot: bool = True,
    protected: bool = False,
) -> Instance:
    return Instance(
        id=f"i-{number}",
        type="c7i.large",
        zone="us-east-1a",
        state=state,
        launched=NOW - timedelta(seconds=age),
        spot=spot,
        request=request,
        launch=launch,
        subnet="subnet-a",
        protected=protected,
    )


def request(
    number: int,
    *,
    state: str = "active",
    kind: str = "persistent",
    of: str = "",
    status: str = "fulfilled",
) -> SpotRequest:
    return SpotRequest(id=f"sir-{number}", type=kind, state=state, status=status, instance=of)


def parked(number: int) -> tuple[Instance, SpotRequest]:
    """An instance that shut itself down, and its request."""
    stopped = instance(number, state="stopped", request=f"sir-{number}")
    status = "instance-stopped-by-user"
    return stopped, request(number, state="disabled", status=status, of=stopped.id)


def intent(
    name: str = "a",
    *,
    count: int = 1,
    age: float = 60,
    made: tuple[str, ...] | None = None,
    **rest: Any,
) -> Intent:
    return Intent(
        id=name,
        job="job",
        count=count,
        created=NOW - timedelta(seconds=age),
        call="create_fleet",
        arguments="{}",
        resolved=made is not None,
        instances=made or (),
        **rest,
    )


def beat(
    number: int,
    *,
    ago: float = 30,
    phase: Phase = Phase.WORKING,
    ready: bool = True,
    why: str = "",
) -> Beat:
    return Beat(
        job="job",
        instance=f"i-{number}",
        started=NOW - timedelta(seconds=ago + 10),
        seen=NOW - timedelta(seconds=ago),
        phase=phase,
        ready=ready,
        why=why,
    )


def mark(number: int, *, action: str = "terminate", ago: float = 30) -> Mark:
    return Mark(instance=f"i-{number}", action=action, at=NOW - timedelta(seconds=ago))


def situation(
    *,
    demand: int | None = 0,
    instances: tuple[Instance, ...] = (),
    requests: tuple[SpotRequest, ...] = (),
    intents: tuple[Intent, ...] = (),
    beats: tuple[Beat, ...] = (),
    marks: tuple[Mark, ...] = (),
    waiting_since: dict[str, datetime] | None = None,
    **rest: Any,
) -> Situation:
    holdings = Holdings(
        now=NOW,
        instances=instances,
        requests=requests,
        intents=intents,
        beats=beats,
        marks=marks,
        waiting_since=waiting_since or {},
    )
    return replace(
        Situation(holdings=holdings, limits=LIMITS, demand=demand, grace_seconds=300), **rest
    )


def running(count: int) -> tuple[Instance, ...]:
    return tuple(instance(number) for number in range(count))


def launched(decided: Plan) -> int:
    return sum(action.count for action in decided.actions if isinstance(action, Launch))
