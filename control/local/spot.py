"""The life of a spot request, pure: a request and an event in, the request after it out.

    open ──fulfilled──> active ──instance ended──> closed     (one-time)
      ^                   │  ^                     open       (persistent: launched again)
      └──instance ended───┤  └──started──┐
                          └──stopped──> disabled              (persistent only)
    any of open, active, disabled ──cancelled──> cancelled

States and status codes are EC2's:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instances-request-status-lifecycle.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class SpotType(StrEnum):
    """Whether EC2 launches again when the instance has ended."""

    ONE_TIME = "one-time"
    PERSISTENT = "persistent"


class SpotState(StrEnum):
    """The states that EC2 documents, without `failed`, which nothing here leads to."""

    OPEN = "open"
    ACTIVE = "active"
    DISABLED = "disabled"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """Why an instance ended or stopped."""

    BY_USER = "by-user"
    BY_ITSELF = "by-itself"
    RECLAIMED = "reclaimed"
    LOST = "lost"


MESSAGES = {
    "pending-evaluation": "Your Spot request has been submitted for review, "
    "and is pending evaluation.",
    "fulfilled": "Your spot request is fulfilled.",
    "marked-for-termination": "Your Spot Instance is marked for termination.",
    "marked-for-stop": "Your Spot Instance is marked for stopping.",
    "instance-terminated-by-user": "Your Spot Instance was terminated by the user.",
    "instance-terminated-no-capacity": "Your Spot Instance was terminated because there is "
    "no longer enough Spot capacity available.",
    "instance-stopped-by-user": "Your Spot Instance was stopped by the user.",
    "instance-stopped-no-capacity": "Your Spot Instance was stopped because there is "
    "no longer enough Spot capacity available.",
    "request-canceled-and-instance-running": "Your Spot request is canceled, "
    "but your instance is still running.",
    "canceled-before-fulfillment": "Your Spot request is canceled before it was fulfilled.",
    "system-error": "There was an unexpected system error.",
}

TERMINATED_CODE = {
    Cause.BY_USER: "instance-terminated-by-user",
    Cause.BY_ITSELF: "instance-terminated-by-user",
    Cause.RECLAIMED: "instance-terminated-no-capacity",
    Cause.LOST: "system-error",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SpotRequest:
    """One request. `due` is when EC2 acts on it by itself: launches again, or starts again."""

    id: str
    type: SpotType
    price: str
    created: datetime
    updated: datetime
    interruption: str = "terminate"
    state: SpotState = SpotState.OPEN
    code: str = "pending-evaluation"
    instance: str | None = None
    due: datetime | None = None

    @property
    def message(self) -> str:
        return MESSAGES[self.code]

    @property
    def stops_when_reclaimed(self) -> bool:
        """A hibernation is a stop here: there is no memory to keep."""
        return self.type is SpotType.PERSISTENT and self.interruption in ("stop", "hibernate")


@dataclass(frozen=True, slots=True)
class Refusal:
    """EC2's error code and message for what a request's state does not allow."""

    code: str
    message: str


def fulfilled(request: SpotRequest, *, instance: str, at: datetime) -> SpotRequest:
    """The request has got its instance, or its stopped instance runs again."""
    return replace(
        request,
        state=SpotState.ACTIVE,
        code="fulfilled",
        instance=instance,
        updated=at,
        due=None,
    )


def noticed(request: SpotRequest, *, at: datetime) -> SpotRequest:
    """Its instance was told that it will be reclaimed. A cancelled request says nothing of it."""
    if request.state is not SpotState.ACTIVE:
        return request
    code = "marked-for-stop" if request.stops_when_reclaimed else "marked-for-termination"
    return replace(request, code=code, updated=at)


def instance_ended(
    request: SpotRequest, *, cause: Cause, at: datetime, delay: timedelta
) -> SpotRequest:
    """Its instance is terminated: a persistent request that nobody cancelled opens again."""
    if request.state not in (SpotState.ACTIVE, SpotState.DISABLED):
        return replace(request, code=TERMINATED_CODE[cause], updated=at)
    if request.type is SpotType.ONE_TIME:
        return replace(request, state=SpotState.CLOSED, code=TERMINATED_CODE[cause], updated=at)
    reclaimed = cause is Cause.RECLAIMED
    return replace(
        request,
        state=SpotState.OPEN,
        code=TERMINATED_CODE[cause] if reclaimed else "pending-evaluation",
        instance=None,
        updated=at,
        due=at + delay,
    )


def instance_stopped(
    request: SpotRequest, *, cause: Cause, at: datetime, delay: timedelta
) -> SpotRequest:
    """Its instance is stopped. One that EC2 stopped, EC2 starts again."""
    if request.state is not SpotState.ACTIVE:
        return request
    reclaimed = cause is Cause.RECLAIMED
    return replace(
        request,
        state=SpotState.DISABLED,
        code="instance-stopped-no-capacity" if reclaimed else "instance-stopped-by-user",
        updated=at,
        due=at + delay if reclaimed else None,
    )


def cancelled(request: SpotRequest, *, at: datetime) -> SpotRequest:
    """Nothing is launched for it any more. What is closed or cancelled stays as it is."""
    codes = {
        SpotState.OPEN: "canceled-before-fulfillment",
        SpotState.ACTIVE: "request-canceled-and-instance-running",
        SpotState.DISABLED: "instance-terminated-by-user",
    }
    if request.state not in codes:
        return request
    code = codes[request.state]
    return replace(request, state=SpotState.CANCELLED, code=code, updated=at, due=None)


def cancel_terminates(request: SpotRequest) -> bool:
    """Whether EC2 terminates the instance when this request is cancelled: if it is stopped."""
    return request.state is SpotState.DISABLED


def refusal_to_stop(request: SpotRequest) -> Refusal | None:
    """Why StopInstances is refused for this request's instance."""
    if request.type is SpotType.ONE_TIME:
        return Refusal(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{request.instance}' because it is associated "
            "with a one-time Spot Instance request. You can only stop Spot Instances associated "
            "with persistent Spot Instance requests.",
        )
    return _refusal_of_state(request, "stop", allowed=(SpotState.ACTIVE, SpotState.DISABLED))


def refusal_to_start(request: SpotRequest) -> Refusal | None:
    """Why StartInstances is refused: what EC2 stopped, only EC2 starts."""
    if request.code == "instance-stopped-no-capacity":
        return _refusal_of_state(request, "start", allowed=())
    return _refusal_of_state(request, "start", allowed=(SpotState.ACTIVE, SpotState.DISABLED))


def _refusal_of_state(
    request: SpotRequest, verb: str, *, allowed: tuple[SpotState, ...]
) -> Refusal | None:
    if request.state in allowed:
        return None
    return Refusal(
        "IncorrectSpotRequestState",
        f"You can't {verb} the Spot Instance '{request.instance}' because the associated Spot "
        f"Instance request is not in an appropriate state to support {verb}: {request.state}, "
        f"{request.code}.",
    )
