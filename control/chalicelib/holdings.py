"""What a job holds in EC2, and what of it counts: pure.

EC2 shows a launch late, and starts a persistent request's instance again when that has ended. So
capacity is not only what runs, but also what is on its way, and an instance is only terminated
when no live request stands behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from aws_parallelizer.core.fleet import Instance, Intent, SpotRequest

UNSEEN = timedelta(minutes=5)  # DescribeInstances has been seen to lag a launch by 90 s
_ALIVE = ("pending", "running")
_GOING = ("shutting-down", "terminated")
_LIVE = ("open", "active", "disabled")
_DOOMED = ("marked-for-termination", "marked-for-stop")


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """All instances (ended ones too), requests and intents of one job, as seen at `now`."""

    now: datetime
    instances: tuple[Instance, ...] = ()
    requests: tuple[SpotRequest, ...] = ()
    intents: tuple[Intent, ...] = ()

    @cached_property
    def live_requests(self) -> tuple[SpotRequest, ...]:
        """Requests that may still launch something, now or when their instance has ended."""
        return tuple(request for request in self.requests if _is_live(request))

    @cached_property
    def standing(self) -> tuple[Instance, ...]:
        """Instances that do not end by themselves."""
        return tuple(instance for instance in self.instances if instance.state not in _GOING)

    @cached_property
    def ending(self) -> tuple[Instance, ...]:
        """Instances that are on their way out."""
        return tuple(each for each in self.instances if each.state == "shutting-down")

    @cached_property
    def terminable(self) -> tuple[Instance, ...]:
        """Standing instances that no live request would start again."""
        live = {request.id for request in self.live_requests}
        held = {request.instance for request in self.live_requests}
        return tuple(
            each for each in self.standing if each.request not in live and each.id not in held
        )

    @cached_property
    def working(self) -> tuple[Instance, ...]:
        """Instances that take tasks or soon will."""
        return tuple(each for each in self._alive if each.id not in self._doomed)

    @cached_property
    def unseen(self) -> frozenset[str]:
        """Ids of instances that a launch or a request named and that EC2 does not show yet."""
        named = {
            instance
            for intent in self.intents
            if self.now - intent.created < UNSEEN
            for instance in intent.instances
        }
        named |= {each.instance for each in self.requests if each.state == "active"} - {""}
        return frozenset(named - {instance.id for instance in self.instances})

    @cached_property
    def waiting(self) -> int:
        """Live requests whose instance is still to come, or to come again."""
        there = {instance.id for instance in self._alive} | self.unseen
        return sum(
            _relaunches(request) and request.instance not in there for request in self.requests
        )

    @cached_property
    def unresolved(self) -> tuple[Intent, ...]:
        """Launches of which it is not known what became."""
        return tuple(intent for intent in self.intents if not intent.resolved)

    @property
    def unsettled(self) -> int:
        """How many launches and instances may still come to light."""
        return len(self.unresolved) + len(self.unseen)

    @property
    def capacity(self) -> int:
        """have = running and healthy + pending + open requests + unresolved intents."""
        uncertain = sum(
            max(0, intent.count - len(self.launched_by(intent))) for intent in self.unresolved
        )
        return len(self.working) + len(self.unseen) + self.waiting + uncertain

    @property
    def occupied(self) -> int:
        """What counts against `maxInstances`: doomed instances still run."""
        return self.capacity + len(self._doomed)

    @property
    def nothing(self) -> bool:
        """Whether nothing is left that costs money, or may yet."""
        return not (self.standing or self.ending or self.live_requests or self.unsettled)

    def launched_by(self, intent: Intent) -> tuple[str, ...]:
        """Ids of the instances that bear the intent's tag."""
        return tuple(each.id for each in self.instances if each.launch == intent.id)

    @cached_property
    def _alive(self) -> tuple[Instance, ...]:
        return tuple(instance for instance in self.instances if instance.state in _ALIVE)

    @cached_property
    def _doomed(self) -> frozenset[str]:
        marked = {each.id for each in self.requests if each.status in _DOOMED}
        return frozenset(each.id for each in self._alive if each.request and each.request in marked)


def _is_live(request: SpotRequest) -> bool:
    if request.state == "open":
        return True
    return request.type == "persistent" and request.state in _LIVE


def _relaunches(request: SpotRequest) -> bool:
    """Whether EC2 will launch or start an instance for it without being asked."""
    stopped_by_us = request.state == "disabled" and request.status == "instance-stopped-by-user"
    return _is_live(request) and not stopped_by_us
