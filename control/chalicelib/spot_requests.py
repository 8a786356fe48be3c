"""What the states and status codes of a spot request mean: pure."""

from __future__ import annotations

from aws_parallelizer.core.fleet import SpotRequest

CANCELLED_RUNNING = "request-canceled-and-instance-running"
MARKED = ("marked-for-termination", "marked-for-stop")
RECLAIMED = (
    "instance-terminated-no-capacity",
    "instance-terminated-by-price",
    "instance-terminated-capacity-oversubscribed",
    "instance-terminated-by-service",
)
_LIVE = ("open", "active", "disabled")
_STOPPED_FROM_WITHIN = "instance-stopped-by-user"  # EC2's word, also for a shutdown command


def is_live(request: SpotRequest) -> bool:
    """Whether it may still launch something, now or when its instance has ended."""
    if request.state == "open":
        return True
    return request.type == "persistent" and request.state in _LIVE


def rests(request: SpotRequest) -> bool:
    """Whether its instance stopped itself, and EC2 leaves it so."""
    return request.state == "disabled" and request.status == _STOPPED_FROM_WITHIN


def relaunches(request: SpotRequest) -> bool:
    """Whether EC2 will launch or start an instance for it without being asked."""
    return is_live(request) and not rests(request)
