"""The life of instances and spot requests, as time passes and things befall them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from fakes.ec2.machine import GONE, Machine, Pool, Spec, Tags
from fakes.ec2.market import VCPUS, Market
from fakes.faults import Faults
from local import spot
from local.spot import Cause, SpotRequest, SpotState, SpotType

RELAUNCH = timedelta(seconds=30)
NOTICE = timedelta(minutes=2)
_AGAIN = timedelta(minutes=1)  # EC2 looks for capacity for open requests


@dataclass
class Life:
    """The account's machines and requests, and the clock.

    `shows_after` and `requests_show_after` = how long a launch stays hidden; `boots_after`,
    `stops_after`, `ends_after` = how long it is pending, stopping, shutting down. Of `lingering`
    machines the shutting down lasts an hour, `protected` ones have termination protection.
    """

    now: datetime
    shows_after: timedelta = timedelta(0)
    requests_show_after: timedelta = timedelta(0)
    boots_after: timedelta = timedelta(0)
    stops_after: timedelta = timedelta(0)
    ends_after: timedelta = timedelta(0)
    market: Market = field(default_factory=Market)
    machines: dict[str, Machine] = field(default_factory=dict)
    requests: dict[str, SpotRequest] = field(default_factory=dict)
    specs: dict[str, Spec] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)
    lingering: set[str] = field(default_factory=set)
    faults: Faults = field(default_factory=Faults)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _stopped: dict[str, SpotRequest] = field(default_factory=dict)

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and let come about what is due meanwhile, in its order."""
        end = self.now + timedelta(seconds=seconds)
        while (due := self._due()) is not None and due <= end:
            self.now = max(due, self.now)
            self._come_about()
        self.now = end

    def end(self, id_: str, *, cause: Cause = Cause.RECLAIMED) -> None:
        """The instance ends without a call of ours."""
        machine = self.machines[id_]
        if machine.state in GONE:
            return
        self._pass(machine, "shutting-down", self._ends_after(machine))
        machine.reclaimed_at = None
        machine.ended = self.now
        if request := self._request_of(machine):
            self._set(spot.instance_ended(request, cause=cause, at=self.now, delay=RELAUNCH))

    def stop(self, id_: str, *, cause: Cause = Cause.BY_USER) -> None:
        """The instance is stopped; its request stays active until it has come to a halt."""
        machine = self.machines[id_]
        if machine.state not in ("pending", "running"):
            return
        machine.reclaimed_at = None
        if request := self._request_of(machine):
            if request.state is SpotState.ACTIVE:
                self._set(replace(request, code="marked-for-stop", updated=self.now))
            stopped = spot.instance_stopped(request, cause=cause, at=self.now, delay=RELAUNCH)
            self._stopped[id_] = stopped
        self._pass(machine, "stopping", self.stops_after)

    def shut_down(self, id_: str, *, behavior: str = "terminate") -> None:
        """The instance powers itself off."""
        if behavior == "stop":
            self.stop(id_, cause=Cause.BY_ITSELF)
        else:
            self.end(id_, cause=Cause.BY_ITSELF)

    def interrupt(self, id_: str, *, notice: bool = True) -> None:
        """EC2 takes the instance back, two minutes after it has said so."""
        machine = self.machines[id_]
        machine.reclaimed_at = self.now + (NOTICE if notice else timedelta(0))
        if (request := self._request_of(machine)) and notice:
            self._set(spot.noticed(request, at=self.now))
        self._come_about()

    def stranger(self, **tags: str) -> str:
        """An instance that somebody else runs."""
        return self._machine(tags, pool=("c7i.large", "subnet-a"), spot_=False).id

    @property
    def running(self) -> list[str]:
        return [each.id for each in self.machines.values() if each.state == "running"]

    @property
    def capacity(self) -> int:
        """How many spot machines EC2 has to spare."""
        return self.market.spare

    @capacity.setter
    def capacity(self, number: int) -> None:
        self.market.spare = number

    def _due(self) -> datetime | None:
        moments = [each.due for each in self.requests.values() if each.due]
        for machine in self.machines.values():
            moments += [when for when in (machine.until, machine.reclaimed_at) if when]
        return min(moments, default=None)

    def _come_about(self) -> None:
        for machine in list(self.machines.values()):
            if machine.reclaimed_at and machine.reclaimed_at <= self.now:
                self._reclaim(machine)
            if machine.until and machine.until <= self.now:
                self._arrive(machine)
        for request in list(self.requests.values()):
            if request.due and request.due <= self.now:
                self._serve(request)

    def _reclaim(self, machine: Machine) -> None:
        request = self._request_of(machine)
        if request and request.stops_when_reclaimed and request.state is SpotState.ACTIVE:
            self.stop(machine.id, cause=Cause.RECLAIMED)
        else:
            self.end(machine.id)

    def _pass(self, machine: Machine, state: str, span: timedelta) -> None:
        """Into a passing state, and out of it when its time is over: at once if there is none."""
        machine.state, machine.until = state, self.now + span
        if not span:
            self._arrive(machine)

    def _arrive(self, machine: Machine) -> None:
        after = {"pending": "running", "stopping": "stopped", "shutting-down": "terminated"}
        machine.state, machine.until = after[machine.state], None
        stopped = self._stopped.pop(machine.id, None)
        if machine.state == "stopped" and stopped and self._is_active(stopped.id):
            self._set(stopped)

    def _serve(self, request: SpotRequest) -> None:
        """EC2 launches or starts for the request by itself, when it can."""
        pool = self.specs[request.id].pool
        if not self.market.has(pool):
            code = "capacity-not-available" if request.state is SpotState.OPEN else request.code
            self._set(replace(request, code=code, due=self.now + _AGAIN))
        elif request.state is SpotState.DISABLED and request.instance:
            self._start(self.machines[request.instance])
        else:
            self._fulfil(request, {})  # the tags of a launch are not given to its replacement

    def _start(self, machine: Machine) -> None:
        if machine.spot:
            self.market.take(machine.pool, spot=True)
        machine.launched = self.now
        self._pass(machine, "pending", self.boots_after)
        if request := self._request_of(machine):
            self._set(spot.fulfilled(request, instance=machine.id, at=self.now))

    def _fulfil(self, request: SpotRequest, tags: Tags) -> Machine:
        pool = self.specs[request.id].pool
        self.market.take(pool, spot=True)
        machine = self._machine(tags, pool=pool, request=request.id)
        self._set(spot.fulfilled(request, instance=machine.id, at=self.now))
        return machine

    def _ask(self, type_: SpotType, pool: Pool, tags: Tags, *, interruption: str) -> SpotRequest:
        request = SpotRequest(
            id=f"sir-{next(self._numbers)}",
            type=type_,
            price=f"{self.market.price(pool):.6f}",
            created=self.now,
            updated=self.now,
            interruption=interruption,
        )
        self.specs[request.id] = Spec(pool, dict(tags), self.now + self.requests_show_after)
        self._set(request)
        return request

    def _machine(
        self, tags: Mapping[str, str], *, pool: Pool, request: str = "", spot_: bool = True
    ) -> Machine:
        machine = Machine(
            id=f"i-{next(self._numbers)}",
            launched=self.now,
            shown=self.now + self.shows_after,
            tags=dict(tags),
            request=request,
            type=pool[0],
            subnet=pool[1],
            spot=spot_,
        )
        self.machines[machine.id] = machine
        self._pass(machine, "pending", self.boots_after)
        return machine

    def _ends_after(self, machine: Machine) -> timedelta:
        return timedelta(hours=1) if machine.id in self.lingering else self.ends_after

    def _request_of(self, machine: Machine) -> SpotRequest | None:
        return self.requests.get(machine.request)

    def _is_active(self, request: str) -> bool:
        return self.requests[request].state is SpotState.ACTIVE

    def _set(self, request: SpotRequest) -> None:
        self.requests[request.id] = request

    @property
    def _used(self) -> dict[str, int]:
        live = [each for each in self.machines.values() if each.state not in (*GONE, "stopped")]
        return {
            "spot": sum(each.spot for each in live),
            "vcpus": sum(VCPUS.get(each.type, 2) for each in live if not each.spot),
        }
