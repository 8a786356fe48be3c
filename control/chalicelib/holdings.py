"""What a job holds in EC2, and what of it counts: pure.

EC2 shows a launch late, and starts a persistent request's instance again when that has ended. So
capacity is not only what runs, but also what is on its way; an instance is only terminated when no
live request stands behind it; and an instance that runs is capacity only while its worker says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from aws_parallelizer.core.fleet import Beat, Instance, Intent, Mark, SpotRequest
from chalicelib import spot_requests
from chalicelib.health import Health

UNSEEN = timedelta(minutes=5)  # DescribeInstances has been seen to lag a launch by 90 s
OVERDUE = timedelta(minutes=10)  # a request that waits so long for an instance waits in vain
DOOM = timedelta(minutes=30)  # EC2 takes an instance two minutes after its warning, or not at all
SLOW_END = timedelta(minutes=30)  # an instance shuts down within minutes, or something is wrong
_ALIVE = ("pending", "running")
_GOING = ("shutting-down", "terminated")


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """All instances (ended ones too), requests and intents of one job, as seen at `now`, with what
    its workers said of themselves and what EC2 said of its instances. `waiting_since` is when
    requests were first seen without an instance that is shown, `ending_since` when instances were
    first seen to be shutting down.
    """

    now: datetime
    instances: tuple[Instance, ...] = ()
    requests: tuple[SpotRequest, ...] = ()
    intents: tuple[Intent, ...] = ()
    beats: tuple[Beat, ...] = ()
    marks: tuple[Mark, ...] = ()
    waiting_since: Mapping[str, datetime] = field(default_factory=dict)
    ending_since: Mapping[str, datetime] = field(default_factory=dict)

    # What stands, and what may be done to it.

    @cached_property
    def live_requests(self) -> tuple[SpotRequest, ...]:
        """Requests that may still launch something, now or when their instance has ended."""
        return tuple(request for request in self.requests if spot_requests.is_live(request))

    @cached_property
    def cancellable(self) -> tuple[SpotRequest, ...]:
        """Live requests; not those whose cancelling would terminate a protected instance."""
        return tuple(
            each
            for each in self.live_requests
            if each.state != "disabled" or not self._protected & {each.instance}
        )

    @cached_property
    def standing(self) -> tuple[Instance, ...]:
        """Instances that do not end by themselves."""
        return tuple(instance for instance in self.instances if instance.state not in _GOING)

    @cached_property
    def ending(self) -> tuple[Instance, ...]:
        """Instances that are on their way out."""
        return tuple(each for each in self.instances if each.state == "shutting-down")

    @cached_property
    def slow_to_end(self) -> tuple[Instance, ...]:
        """Instances that have been shutting down for too long."""
        since = self.ending_since
        return tuple(
            each for each in self.ending if self.now - since.get(each.id, self.now) >= SLOW_END
        )

    @cached_property
    def terminable(self) -> tuple[Instance, ...]:
        """Standing instances that nobody protects and no live request would start again; not those
        whose request EC2 does not show yet, for that may be one.
        """
        live = {request.id for request in self.live_requests}
        held = {request.instance for request in self.live_requests}
        return tuple(
            each
            for each in self.standing
            if each.request not in live
            and each.id not in held
            and each.id not in self.unrequested
            and not each.protected
        )

    @cached_property
    def unrequested(self) -> frozenset[str]:
        """Ids of new instances that name a request which EC2 does not show yet."""
        known = {"", *(request.id for request in self.requests)}
        return frozenset(
            each.id
            for each in self.standing
            if each.request not in known and self.now - each.launched < UNSEEN
        )

    @cached_property
    def protected(self) -> tuple[Instance, ...]:
        """Standing instances that a person has tagged so that nothing ends them."""
        return tuple(each for each in self.standing if each.protected)

    @cached_property
    def parked(self) -> tuple[Instance, ...]:
        """Instances that stopped themselves when there was no work, and can be started again: those
        that worked before. What never did would stop itself again and again.
        """
        return tuple(each for each in self._at_rest if self._health.has_worked(each))

    @cached_property
    def misgiven(self) -> tuple[str, ...]:
        """Ids of on-demand instances that EC2 gave where spot was asked for."""
        return tuple(each.id for each in self._alive if self._is_misgiven(each))

    @cached_property
    def suspects(self) -> dict[str, str]:
        """Standing instances that cost money and do nothing for it: id -> why, as seen now."""
        return {
            each.id: why
            for each in self.standing
            if not each.protected and (why := self._suspicion(each))
        }

    @cached_property
    def overdue(self) -> tuple[SpotRequest, ...]:
        """Requests that have waited in vain for an instance: another pool may have one."""
        since = self.waiting_since
        return tuple(
            each
            for each in self.cancellable
            if each.id in self.waiting and self.now - since.get(each.id, self.now) >= OVERDUE
        )

    # What counts.

    @cached_property
    def working(self) -> tuple[Instance, ...]:
        """Instances that take tasks or soon will."""
        return tuple(
            each
            for each in self._alive
            if each.id not in self.doomed
            and each.id not in self.suspects
            and not self._health.drains(each)
        )

    @cached_property
    def doomed(self) -> frozenset[str]:
        """Ids of running instances that EC2 said it takes back."""
        requests = {each.id for each in self.requests if each.status in spot_requests.MARKED}
        marked = {
            each.instance
            for each in self.marks
            if each.action != "rebalance" and self.now - each.at < DOOM
        }
        return frozenset(
            each.id
            for each in self._alive
            if each.id in marked or (each.request and each.request in requests)
        )

    @cached_property
    def unseen(self) -> frozenset[str]:
        """Ids of instances that a launch or a request named and that EC2 does not show yet."""
        named = {
            instance
            for intent in self.intents
            if abs(self.now - intent.asked) < UNSEEN
            for instance in intent.instances
        }
        named |= {each.instance for each in self.requests if each.state == "active"} - {""}
        named |= {
            each.instance
            for each in self.cancelled_unseen
            if self.now - self.waiting_since.get(each.id, self.now) < UNSEEN
        }
        return frozenset(named - {instance.id for instance in self.instances})

    @cached_property
    def cancelled_unseen(self) -> tuple[SpotRequest, ...]:
        """Requests that were cancelled just when EC2 launched for them: it does not show what."""
        shown = {instance.id for instance in self.instances}
        return tuple(
            each
            for each in self.requests
            if each.status == spot_requests.CANCELLED_RUNNING
            and each.instance
            and each.instance not in shown
        )

    @cached_property
    def waiting(self) -> frozenset[str]:
        """Ids of live requests whose instance is still to come, or to come again."""
        there = {instance.id for instance in self._alive} | self.unseen
        return frozenset(
            each.id
            for each in self.requests
            if spot_requests.relaunches(each) and each.instance not in there
        )

    @cached_property
    def unresolved(self) -> tuple[Intent, ...]:
        """Launches of which it is not known what became."""
        return tuple(intent for intent in self.intents if not intent.resolved)

    @property
    def unsettled(self) -> int:
        """How many launches and instances may still come to light."""
        return len(self.unresolved) + len(self.unseen) + len(self.unrequested)

    @cached_property
    def capacity(self) -> int:
        """have = running and healthy + pending + open requests + unresolved intents."""
        return len(self.working) + self._coming

    @property
    def occupied(self) -> int:
        """What counts against `maxInstances`: what runs, healthy or not, and what may yet."""
        return len(self._alive) + self._coming + len(self.overdue)

    @property
    def nothing(self) -> bool:
        """Whether nothing is left that costs money, or may yet."""
        return not (self.standing or self.ending or self.live_requests or self.unsettled)

    def launched_by(self, intent: Intent) -> tuple[str, ...]:
        """Ids of the instances that bear the intent's tag."""
        return tuple(each.id for each in self.instances if each.launch == intent.id)

    def beat_of(self, instance: str) -> Beat | None:
        """What the instance's worker last said."""
        return self._health.beats.get(instance)

    def was_reclaimed(self, instance: str) -> bool:
        """Whether EC2 took the instance, or said that it would."""
        taken = (*spot_requests.MARKED, *spot_requests.RECLAIMED)
        by_request = {each.id for each in self.requests if each.status in taken}
        asked = {each.request for each in self.instances if each.id == instance}
        marked = {each.instance for each in self.marks if each.action != "rebalance"}
        return instance in marked or bool(asked & by_request)

    # How it is told.

    @cached_property
    def _alive(self) -> tuple[Instance, ...]:
        return tuple(instance for instance in self.instances if instance.state in _ALIVE)

    @cached_property
    def _spot_launches(self) -> frozenset[str]:
        return frozenset(intent.id for intent in self.intents if not intent.on_demand)

    @cached_property
    def _protected(self) -> frozenset[str]:
        return frozenset(each.id for each in self.protected)

    @cached_property
    def _health(self) -> Health:
        return Health(now=self.now, beats={beat.instance: beat for beat in self.beats})

    @cached_property
    def _coming(self) -> int:
        uncertain = sum(
            max(0, intent.count - len(self.launched_by(intent))) for intent in self.unresolved
        )
        patient = len(self.waiting) - len(self.overdue)
        return len(self.unseen) + patient + uncertain

    def _suspicion(self, instance: Instance) -> str:
        if instance.state == "stopped":
            return self._suspicion_at_rest(instance)
        if instance.state not in _ALIVE:
            return ""
        if self._is_misgiven(instance):
            return "on-demand, though spot was asked for"
        return self._health.trouble(instance)

    def _suspicion_at_rest(self, instance: Instance) -> str:
        if instance.id not in {each.instance for each in self.live_requests}:
            return "stopped for good"
        if instance in self._at_rest and not self._health.has_worked(instance):
            return "never worked"
        return ""

    @cached_property
    def _at_rest(self) -> tuple[Instance, ...]:
        restful = {each.instance for each in self.requests if spot_requests.rests(each)}
        return tuple(
            each for each in self.instances if each.state == "stopped" and each.id in restful
        )

    def _is_misgiven(self, instance: Instance) -> bool:
        return instance.launch in self._spot_launches and not instance.spot
