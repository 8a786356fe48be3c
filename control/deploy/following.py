"""Watching CloudFormation at work: resource by resource, and why it failed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from aws_parallelizer.aws.cloudformation import Event, Stacks
from deploy.commands import Say
from deploy.saying import pauses


class Ended(NamedTuple):
    """How an operation on a stack ended. `cause` is empty where nothing failed."""

    status: str
    cause: str


def follow(stacks: Stacks, stack_id: str, *, after: str, say: Say) -> Ended:
    """Wait until the operation that began after the event `after` has ended, and tell of each
    resource when it is done.
    """
    began = time.monotonic()
    events: list[Event] = []
    for pause in pauses():
        status = stacks.status(stack_id)  # before the events, so that the last ones are told too
        fresh = stacks.events(stack_id, after=events[-1].id if events else after)
        events += fresh
        for event in fresh:
            if not event.status.endswith("_IN_PROGRESS"):
                say(f"  {time.monotonic() - began:4.0f} s  {event.resource} {event.status}")
        if not status.endswith("_IN_PROGRESS"):
            return Ended(status, first_cause(events))
        time.sleep(pause)
    raise AssertionError("the pauses have no end")


def first_cause(events: Iterable[Event]) -> str:
    """Of several failures the first, which caused the others; empty where none failed.

    CloudFormation marks what it was still at as failed too, for the sole reason that something else
    did.
    """
    failed = [event for event in events if event.status.endswith("_FAILED")]
    own = [event for event in failed if "cancelled" not in event.reason.lower()]
    for event in [*own, *failed]:
        return f"{event.resource}: {event.reason or 'no reason is given'}"
    return ""
