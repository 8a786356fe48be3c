"""The machines and spot requests that there are, and what can happen to one of them.

What people ask for is in cloud.py, what time brings in clockwork.py; both hold the lock while
they use this.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from local import spot
from local.body import MakeBody
from local.launching import Market, tags_of
from local.machine import ENDED, UP, Machine, Spans, State
from local.metadata import Identity
from local.rows import Order, Rows
from local.spot import Cause, SpotRequest, SpotState

log = logging.getLogger(__name__)


class InstanceEvent(Protocol):
    """What spot.py makes of the end or the stop of an instance."""

    def __call__(
        self, request: SpotRequest, *, cause: Cause, at: datetime, delay: timedelta
    ) -> SpotRequest: ...


@dataclass(kw_only=True)
class Estate:
    """All regions of the account. `wake` is called when there may be something to do."""

    rows: Rows
    make_body: MakeBody
    now: Callable[[], datetime]
    wake: Callable[[], None]
    spans: Spans = field(default_factory=Spans)
    lock: threading.RLock = field(default_factory=threading.RLock)
    machines: dict[str, Machine] = field(default_factory=dict)
    requests: dict[str, SpotRequest] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)

    def submit(self, order: Order, market: Market) -> SpotRequest:
        """A new spot request, open until a machine is added for it."""
        now = self.now()
        request = SpotRequest(
            id=f"sir-{secrets.token_hex(4)}",
            type=market.type,
            price=market.price,
            interruption=market.interruption,
            created=now,
            updated=now,
        )
        self.orders[request.id] = order
        tags = tags_of(order.specification, "spot-instances-request")
        self.rows.tag(request.id, region=order.region, tags=tags)
        return request

    def add(self, identity: Identity, order: Order, *, request: SpotRequest | None) -> Machine:
        """A machine for a new row; it fulfils the request if there is one."""
        machine = Machine(
            identity=identity,
            request=None if request is None else request.id,
            specification=order.specification,
        )
        self.machines[machine.id] = machine
        if request is not None:
            self.rows.link(identity, request=request.id)
            self.fulfil(request, machine)
        self.wake()
        return machine

    def fulfil(self, request: SpotRequest, machine: Machine) -> None:
        """The request's instance is this one."""
        done = spot.fulfilled(request, instance=machine.id, at=self.now())
        self.requests[request.id] = done

    def request_of(self, machine: Machine) -> SpotRequest | None:
        """The spot request that this machine fulfils, if it still does."""
        request = self.requests.get(machine.request or "")
        return request if request is not None and request.instance == machine.id else None

    def end(self, machine: Machine, cause: Cause) -> None:
        """The machine is no more: its processes are dead when this returns."""
        if machine.state in ENDED:
            return
        self._power_down(machine, cause, spot.instance_ended)
        self.show(machine, State.SHUTTING_DOWN)
        machine.due = self.now() + self.spans.shutting_down

    def halt(self, machine: Machine, cause: Cause) -> None:
        """The machine is stopped, and keeps its disk."""
        self._power_down(machine, cause, spot.instance_stopped)
        self.show(machine, State.STOPPED)

    def begin_stop(self, machine: Machine, cause: Cause) -> None:
        """The machine is to shut down in order; when it has not in time, the power is cut."""
        if machine.state not in UP:
            return
        if machine.body is not None:
            machine.body.press_power_button()
        machine.cause = cause
        self.show(machine, State.STOPPING)
        machine.due = self.now() + self.spans.stopping

    def power_on(self, machine: Machine) -> None:
        """A stopped machine starts; its request is active again."""
        if machine.state is not State.STOPPED:
            return
        request = self.request_of(machine)
        if request is not None and request.state is SpotState.DISABLED:
            self.fulfil(request, machine)
        machine.cause = None
        self.show(machine, State.PENDING)

    def show(self, machine: Machine, state: State) -> None:
        """The state, in the machine and in its row."""
        machine.state = state
        machine.due = None
        self.rows.show(machine.identity, state, cause=machine.cause)
        log.info(
            "%s is %s%s", machine.id, state.text, f", {machine.cause}" if machine.cause else ""
        )
        self.wake()

    def _power_down(self, machine: Machine, cause: Cause, event: InstanceEvent) -> None:
        machine.reclaim_at = None
        machine.notice = None
        machine.cause = cause
        if machine.body is not None:
            machine.body.cut_power()
        request = self.request_of(machine)
        if request is not None:
            self.requests[request.id] = event(
                request, cause=cause, at=self.now(), delay=self.spans.relaunch
            )
