"""What people may do with instances and spot requests: EC2's calls, without their wire format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local import spot
from local.estate import Estate
from local.event_bus import interruption_warning, rebalance_recommendation
from local.launching import Market, Specification
from local.machine import UP, Machine, State
from local.metadata import Notice
from local.rows import CloudError, Order, unknown_instances, unknown_requests
from local.spot import Cause, SpotRequest


@dataclass(frozen=True, slots=True)
class Change:
    """An instance's state before and after a call."""

    instance: str
    before: State
    after: State


class Cloud:
    """Each call does all that it was asked for, or raises CloudError and does nothing. `tell` sends
    an event to EventBridge and does not wait.
    """

    def __init__(self, estate: Estate, *, tell: Callable[[dict[str, Any]], None]) -> None:
        self._estate = estate
        self._tell = tell
        self.lock = estate.lock

    def launch(
        self,
        region: str,
        specification: Specification,
        *,
        market: Market | None,
        count: int,
        token: str | None = None,
    ) -> list[Machine]:
        """New instances, on demand or each with a spot request of its own."""
        order = Order(region=region, specification=specification)
        with self.lock:
            estate = self._estate
            rows = estate.rows.launch(order, spot=market is not None, token=token, count=count)
            return [
                estate.add(
                    row, order, request=None if market is None else estate.submit(order, market)
                )
                for row in rows
            ]

    def requests(self, region: str, *, ids: Sequence[str] = ()) -> list[tuple[SpotRequest, Order]]:
        """The spot requests of a region, those of the ids or all, with what they launch."""
        with self.lock:
            orders = self._estate.orders
            known = {
                request.id: (request, orders[request.id])
                for request in self._estate.requests.values()
                if orders[request.id].region == region
            }
        unknown = [name for name in ids if name not in known]
        if unknown:
            raise unknown_requests(unknown)
        return [known[name] for name in ids or known]

    def machine(self, instance: str | None) -> Machine | None:
        """The machine of that id, if it is known."""
        return self._estate.machines.get(instance or "")

    def console(self, instance: str) -> bytes:
        """The end of what it wrote to its console, to be had for as long as it is described."""
        with self.lock:
            machine = self.machine(instance)
            if machine is None:
                return b""
            return machine.console if machine.body is None else machine.body.console()

    def cancel(self, ids: Sequence[str], *, region: str) -> list[SpotRequest]:
        """Nothing is launched for these any more; what is over already stays as it is."""
        with self.lock:
            found = [request for request, _ in self.requests(region, ids=ids)] if ids else []
            return [self._cancel(request) for request in found]

    def _cancel(self, request: SpotRequest) -> SpotRequest:
        stopped = request.instance if spot.cancel_terminates(request) else None
        after = spot.cancelled(request, at=self._estate.now())
        self._estate.requests[request.id] = after
        if stopped is not None:
            self._estate.end(self._estate.machines[stopped], Cause.BY_USER)
        return after

    def terminate(self, ids: Sequence[str]) -> list[Change]:
        """End the machines at once."""
        with self.lock:
            machines = self._machines(ids)
            return [
                self._change(one, lambda m: self._estate.end(m, Cause.BY_USER)) for one in machines
            ]

    def stop(self, ids: Sequence[str]) -> list[Change]:
        """Power off in order."""
        with self.lock:
            machines = self._machines(ids)
            for machine in machines:
                self._check(machine, spot.refusal_to_stop)
                self._check_state(machine, "stopped", (*UP, State.STOPPING, State.STOPPED))
            return [
                self._change(one, lambda m: self._estate.begin_stop(m, Cause.BY_USER))
                for one in machines
            ]

    def start(self, ids: Sequence[str]) -> list[Change]:
        """Start stopped machines again."""
        with self.lock:
            machines = self._machines(ids)
            for machine in machines:
                self._check(machine, spot.refusal_to_start)
                self._check_state(machine, "started", (*UP, State.STOPPED))
            return [self._change(machine, self._estate.power_on) for machine in machines]

    def reclaim(self, instance: str, *, notice: timedelta) -> datetime:
        """Give the spot notice; when the time is over the machine ends. Returns when."""
        with self.lock:
            (machine,) = self._machines([instance])
            request = self._estate.request_of(machine)
            self._check_state(machine, "reclaimed", UP)
            if request is None:
                message = f"The instance '{instance}' is not a Spot Instance."
                raise CloudError("UnsupportedOperation", message)
            now = self._estate.now()
            machine.reclaim_at = now + notice
            self._estate.requests[request.id] = spot.noticed(request, at=now)
            machine.notice = Notice(
                action="stop" if request.stops_when_reclaimed else "terminate",
                at=machine.reclaim_at,
            )
            if machine.body is not None:
                machine.body.announce(machine.notice)
            self._tell(interruption_warning(machine.identity, machine.notice, now=now))
            self._estate.wake()
            return machine.reclaim_at

    def advise(self, instance: str) -> datetime:
        """Give EC2's advice to leave a spot instance, which goes on; returns when."""
        with self.lock:
            (machine,) = self._machines([instance])
            self._check_state(machine, "advised", UP)
            if self._estate.request_of(machine) is None:
                message = f"The instance '{instance}' is not a Spot Instance."
                raise CloudError("UnsupportedOperation", message)
            now = self._estate.now()
            if machine.body is not None:
                machine.body.advise(now)
            self._tell(rebalance_recommendation(machine.identity, now=now))
            return now

    def _machines(self, ids: Sequence[str]) -> list[Machine]:
        known = self._estate.machines
        unknown = [name for name in ids if name not in known]
        if unknown:
            raise unknown_instances(unknown)
        return [known[name] for name in ids]

    def _change(self, machine: Machine, act: Callable[[Machine], None]) -> Change:
        before = machine.state
        act(machine)
        return Change(machine.id, before, machine.state)

    def _check(
        self, machine: Machine, refusal_of: Callable[[SpotRequest], spot.Refusal | None]
    ) -> None:
        request = self._estate.request_of(machine)
        refusal = None if request is None else refusal_of(request)
        if refusal is not None:
            raise CloudError(refusal.code, refusal.message)

    def _check_state(self, machine: Machine, verb: str, allowed: Sequence[State]) -> None:
        if machine.state not in allowed:
            raise CloudError(
                "IncorrectInstanceState",
                f"The instance '{machine.id}' is {machine.state.text}, "
                f"not in a state from which it can be {verb}.",
            )
