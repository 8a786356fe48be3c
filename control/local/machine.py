"""An instance of the local cloud: where it is in its life, and the body that it may have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from local.body import Body
from local.launching import Specification
from local.metadata import Identity, Notice
from local.spot import Cause


class State(Enum):
    """EC2's instance states with their codes."""

    PENDING = (0, "pending")
    RUNNING = (16, "running")
    SHUTTING_DOWN = (32, "shutting-down")
    TERMINATED = (48, "terminated")
    STOPPING = (64, "stopping")
    STOPPED = (80, "stopped")

    @property
    def code(self) -> int:
        return self.value[0]

    @property
    def text(self) -> str:
        return self.value[1]


ENDED = (State.SHUTTING_DOWN, State.TERMINATED)
UP = (State.PENDING, State.RUNNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spans:
    """How long things take. EC2's own are minutes; these let a person watch."""

    relaunch: timedelta = timedelta(seconds=1)  # from the end of an instance to its replacement
    shutting_down: timedelta = timedelta(seconds=0.5)  # long enough to be seen by one who polls
    stopping: timedelta = timedelta(seconds=10)  # an orderly shutdown; then the power is cut
    terminated_visible: timedelta = timedelta(hours=1)  # as on EC2
    request_visible: timedelta = timedelta(hours=4)  # as on EC2, after its last change


@dataclass(kw_only=True, slots=True)
class Machine:
    """`due` is when the present state ends by itself, `cause` why it ended or stopped.

    `reclaim_at` is when EC2 takes it back, of which `notice` tells the body. `console` is what the
    body's console said last, kept when the body has gone.
    """

    identity: Identity
    request: str | None
    specification: Specification
    state: State = State.PENDING
    body: Body | None = None
    due: datetime | None = None
    reclaim_at: datetime | None = None
    notice: Notice | None = None
    cause: Cause | None = None
    console: bytes = b""

    @property
    def id(self) -> str:
        return self.identity.instance

    @property
    def stops_when_off(self) -> bool:
        """Whether it stops, and does not end, when it shuts itself down."""
        return self.specification.get("InstanceInitiatedShutdownBehavior") != "terminate"

    def is_due(self, now: datetime) -> bool:
        return self.due is not None and self.due <= now
