"""What time does in the local EC2: bodies start and end, states move on, persistent requests launch
again.

One thread calls `tick`; it must be the one that lives as long as the server, because bodies end
with the thread that started them.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from local.body import Ending
from local.estate import Estate
from local.launching import without_instance_tags
from local.machine import Machine, State
from local.spot import Cause, SpotRequest, SpotState

log = logging.getLogger(__name__)


def tick(estate: Estate) -> None:
    """Do all that is due."""
    with estate.lock:
        now = estate.now()
        for machine in list(estate.machines.values()):
            _move_on(estate, machine, now)
        for request in list(estate.requests.values()):
            _act_on(estate, request, now)


def end_all(estate: Estate) -> None:
    """The computer under the cloud is switched off: nothing is launched again."""
    with estate.lock:
        for machine in estate.machines.values():
            if machine.body is not None:
                machine.body.cut_power()
                _discard(machine)


def _move_on(estate: Estate, machine: Machine, now: datetime) -> None:
    match machine.state:
        case State.PENDING:
            _begin(estate, machine)
        case State.RUNNING:
            _watch(estate, machine, now)
        case State.STOPPING:
            _finish_stop(estate, machine, now)
        case State.STOPPED:
            _release(machine)
        case State.SHUTTING_DOWN if machine.is_due(now):
            _discard(machine)
            estate.show(machine, State.TERMINATED)
            machine.due = now + estate.spans.terminated_visible
        case State.TERMINATED if machine.is_due(now):
            estate.rows.forget(machine.identity)
            del estate.machines[machine.id]


def _begin(estate: Estate, machine: Machine) -> None:
    try:
        machine.body = estate.make_body(machine.identity, machine.specification)
    except OSError:
        # The machine is lost: a persistent request tries again, reconcile sees the others.
        log.exception("%s cannot start", machine.id)
        estate.end(machine, Cause.LOST)
        return
    if machine.notice is not None and machine.body is not None:
        machine.body.announce(machine.notice)
    estate.show(machine, State.RUNNING)


def _watch(estate: Estate, machine: Machine, now: datetime) -> None:
    ending = None if machine.body is None else machine.body.ending()
    if ending is Ending.LOST:
        estate.end(machine, Cause.LOST)
    elif ending is Ending.POWERED_OFF and _may_stop(estate, machine):
        estate.halt(machine, Cause.BY_ITSELF)
    elif ending is Ending.POWERED_OFF:
        estate.end(machine, Cause.BY_ITSELF)
    elif machine.reclaim_at is not None and machine.reclaim_at <= now:
        _reclaim(estate, machine)


def _may_stop(estate: Estate, machine: Machine) -> bool:
    """A one-time spot instance that shuts down is terminated, whatever its shutdown behaviour."""
    request = estate.request_of(machine)
    return machine.stops_when_off and (request is None or request.type == "persistent")


def _reclaim(estate: Estate, machine: Machine) -> None:
    request = estate.request_of(machine)
    if request is not None and request.stops_when_reclaimed:
        estate.halt(machine, Cause.RECLAIMED)
    else:
        estate.end(machine, Cause.RECLAIMED)


def _finish_stop(estate: Estate, machine: Machine, now: datetime) -> None:
    if machine.body is None or machine.body.ending() is not None or machine.is_due(now):
        estate.halt(machine, machine.cause or Cause.BY_USER)


def _act_on(estate: Estate, request: SpotRequest, now: datetime) -> None:
    if request.state in (SpotState.CLOSED, SpotState.CANCELLED):
        if request.updated + estate.spans.request_visible <= now and not _lives(estate, request):
            del estate.requests[request.id]
            del estate.orders[request.id]
    elif request.due is not None and request.due <= now:
        if request.state is SpotState.OPEN:
            _launch_again(estate, request)
        elif request.instance is not None:
            estate.power_on(estate.machines[request.instance])


def _lives(estate: Estate, request: SpotRequest) -> bool:
    return request.instance in estate.machines


def _launch_again(estate: Estate, request: SpotRequest) -> None:
    order = estate.orders[request.id]
    bare = replace(order, specification=without_instance_tags(order.specification))
    (identity,) = estate.rows.launch(bare, spot=True, token=None, count=1)
    estate.add(identity, order, request=request)
    log.info("%s replaces the instance of %s", identity.instance, request.id)


def _release(machine: Machine) -> None:
    if machine.body is not None:
        machine.body.release()


def _discard(machine: Machine) -> None:
    if machine.body is not None:
        machine.console = machine.body.console()
        machine.body.release()
        machine.body.wipe()
        machine.body = None
