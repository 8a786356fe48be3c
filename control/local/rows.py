"""Where instances are described, and what a spot request launches there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from local.launching import Specification
from local.machine import State
from local.metadata import Identity
from local.spot import Cause

REASONS = {
    Cause.BY_USER: ("Client.UserInitiatedShutdown", "User initiated shutdown"),
    Cause.BY_ITSELF: ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown"),
    Cause.RECLAIMED: ("Server.SpotInstanceTermination", "Spot instance termination"),
    Cause.LOST: ("Server.InternalError", "Internal error"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a spot request launches, each time."""

    region: str
    specification: Specification


class Rows(Protocol):
    """The rows that DescribeInstances shows, and the tags of everything."""

    def launch(self, order: Order, *, spot: bool, token: str | None, count: int) -> list[Identity]:
        """New rows, pending, of one reservation."""

    def link(self, instance: Identity, *, request: str) -> None:
        """The row shows this spot request."""

    def tag(self, resource: str, *, region: str, tags: Mapping[str, str]) -> None:
        """Put tags on an instance or a request."""

    def show(self, instance: Identity, state: State, *, cause: Cause | None) -> None:
        """The row shows this state, and why if it is one of ending."""

    def forget(self, instance: Identity) -> None:
        """The row is gone."""


class CloudError(Exception):
    """A call that EC2 refuses, with EC2's code."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def unknown_instances(ids: Sequence[str]) -> CloudError:
    names = ", ".join(ids)
    return CloudError("InvalidInstanceID.NotFound", f"The instance ID '{names}' does not exist")


def unknown_requests(ids: Sequence[str]) -> CloudError:
    return CloudError(
        "InvalidSpotInstanceRequestID.NotFound",
        f"The spot instance request ID '{', '.join(ids)}' does not exist",
    )
