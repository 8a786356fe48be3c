"""The life of a spot request, as a table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from local import spot
from local.spot import Cause, SpotRequest, SpotState, SpotType

T0 = datetime(2026, 1, 1, tzinfo=UTC)
T1 = T0 + timedelta(minutes=1)
DELAY = timedelta(seconds=1)

Event = Callable[[SpotRequest], SpotRequest]


def made(kind: SpotType, interruption: str = "terminate") -> SpotRequest:
    return SpotRequest(
        id="sir-1", type=kind, price="0.1", created=T0, updated=T0, interruption=interruption
    )


def fulfil(request: SpotRequest) -> SpotRequest:
    return spot.fulfilled(request, instance="i-1", at=T0)


def ended(cause: Cause) -> Event:
    return lambda request: spot.instance_ended(request, cause=cause, at=T1, delay=DELAY)


def stopped(cause: Cause) -> Event:
    return lambda request: spot.instance_stopped(request, cause=cause, at=T1, delay=DELAY)


def notice(request: SpotRequest) -> SpotRequest:
    return spot.noticed(request, at=T1)


def cancel(request: SpotRequest) -> SpotRequest:
    return spot.cancelled(request, at=T1)


ONE, MORE = SpotType.ONE_TIME, SpotType.PERSISTENT
BY_USER, NO_CAPACITY = "instance-terminated-by-user", "instance-terminated-no-capacity"
RUNS_ON = "request-canceled-and-instance-running"
CANCELLED = SpotState.CANCELLED

TABLE: list[tuple[SpotType, list[Event], str, str, str | None]] = [
    # type, events, state, code, instance
    (ONE, [], "open", "pending-evaluation", None),
    (ONE, [fulfil], "active", "fulfilled", "i-1"),
    (ONE, [fulfil, ended(Cause.BY_USER)], "closed", BY_USER, "i-1"),
    (ONE, [fulfil, ended(Cause.BY_ITSELF)], "closed", BY_USER, "i-1"),
    (ONE, [fulfil, ended(Cause.RECLAIMED)], "closed", NO_CAPACITY, "i-1"),
    (ONE, [fulfil, ended(Cause.LOST)], "closed", "system-error", "i-1"),
    (ONE, [fulfil, notice], "active", "marked-for-termination", "i-1"),
    (ONE, [fulfil, cancel], CANCELLED, RUNS_ON, "i-1"),
    (ONE, [fulfil, cancel, ended(Cause.BY_USER)], CANCELLED, BY_USER, "i-1"),
    (ONE, [fulfil, ended(Cause.BY_USER), cancel], "closed", BY_USER, "i-1"),
    (MORE, [fulfil, ended(Cause.BY_USER)], "open", "pending-evaluation", None),
    (MORE, [fulfil, ended(Cause.BY_ITSELF)], "open", "pending-evaluation", None),
    (MORE, [fulfil, ended(Cause.LOST)], "open", "pending-evaluation", None),
    (MORE, [fulfil, ended(Cause.RECLAIMED)], "open", NO_CAPACITY, None),
    (MORE, [fulfil, ended(Cause.BY_USER), fulfil], "active", "fulfilled", "i-1"),
    (MORE, [fulfil, ended(Cause.BY_USER), cancel], CANCELLED, "canceled-before-fulfillment", None),
    (MORE, [fulfil, cancel], CANCELLED, RUNS_ON, "i-1"),
    (MORE, [fulfil, cancel, cancel], CANCELLED, RUNS_ON, "i-1"),
    (MORE, [fulfil, cancel, ended(Cause.BY_USER)], CANCELLED, BY_USER, "i-1"),
    (MORE, [fulfil, cancel, ended(Cause.RECLAIMED)], CANCELLED, NO_CAPACITY, "i-1"),
    (MORE, [fulfil, cancel, notice], CANCELLED, RUNS_ON, "i-1"),
    (MORE, [fulfil, cancel, stopped(Cause.BY_ITSELF)], CANCELLED, RUNS_ON, "i-1"),
    (MORE, [fulfil, stopped(Cause.BY_USER)], "disabled", "instance-stopped-by-user", "i-1"),
    (MORE, [fulfil, stopped(Cause.RECLAIMED)], "disabled", "instance-stopped-no-capacity", "i-1"),
    (MORE, [fulfil, stopped(Cause.BY_USER), fulfil], "active", "fulfilled", "i-1"),
    (MORE, [fulfil, stopped(Cause.BY_USER), cancel], CANCELLED, BY_USER, "i-1"),
    (
        MORE,
        [fulfil, stopped(Cause.BY_USER), ended(Cause.BY_USER)],
        "open",
        "pending-evaluation",
        None,
    ),
]


@pytest.mark.parametrize(("kind", "events", "state", "code", "instance"), TABLE)
def test_a_request_goes_through_the_states_that_ec2_documents(
    kind: SpotType, events: list[Event], state: str, code: str, instance: str | None
) -> None:
    request = made(kind)
    for event in events:
        request = event(request)
    assert (request.state, request.code, request.instance) == (state, code, instance)
    assert request.message


@pytest.mark.parametrize("cause", list(Cause))
def test_defect_18_only_a_request_that_nobody_cancelled_launches_again(cause: Cause) -> None:
    active = fulfil(made(MORE))
    assert ended(cause)(active).due == T1 + DELAY
    assert ended(cause)(cancel(active)).due is None
    assert ended(cause)(fulfil(made(ONE))).due is None
    assert cancel(ended(cause)(active)).due is None


def test_what_ec2_stopped_ec2_starts_again_and_nobody_else() -> None:
    reclaimed = stopped(Cause.RECLAIMED)(fulfil(made(MORE, "stop")))
    by_user = stopped(Cause.BY_USER)(fulfil(made(MORE)))
    assert reclaimed.due == T1 + DELAY
    assert by_user.due is None
    refusal = spot.refusal_to_start(reclaimed)
    assert refusal is not None
    assert refusal.code == "IncorrectSpotRequestState"
    assert spot.refusal_to_start(by_user) is None


def test_an_interruption_stops_persistent_requests_only() -> None:
    assert made(MORE, "stop").stops_when_reclaimed
    assert made(MORE, "hibernate").stops_when_reclaimed
    assert not made(MORE).stops_when_reclaimed
    assert not made(ONE, "stop").stops_when_reclaimed
    assert notice(fulfil(made(MORE, "stop"))).code == "marked-for-stop"


def test_a_one_time_or_cancelled_requests_instance_is_not_stopped() -> None:
    one_time = spot.refusal_to_stop(fulfil(made(ONE)))
    assert one_time is not None
    assert one_time.code == "UnsupportedOperation"
    after_cancel = spot.refusal_to_stop(cancel(fulfil(made(MORE))))
    assert after_cancel is not None
    assert after_cancel.code == "IncorrectSpotRequestState"
    assert spot.refusal_to_stop(fulfil(made(MORE))) is None


def test_only_the_cancel_of_a_disabled_request_terminates_its_instance() -> None:
    active = fulfil(made(MORE))
    assert not spot.cancel_terminates(active)
    assert spot.cancel_terminates(stopped(Cause.BY_USER)(active))
    assert not spot.cancel_terminates(ended(Cause.BY_USER)(active))
