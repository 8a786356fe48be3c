"""The steps queue: nudges of reconcile, and work that goes on in the background, piece by piece.

A step that fails is delivered again; a step that was carried out may be too. Each is harmless when
it is repeated.
"""

from __future__ import annotations

import logging
from datetime import datetime

import msgspec

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.dynamodb import Unwritten
from aws_parallelizer.core.errors import ParallelizerError
from chalicelib.context import Context

log = logging.getLogger(__name__)

DELIVERIES = 5  # of one step before it is dead: the queue's maxReceiveCount


class Reconcile(msgspec.Struct, frozen=True, tag_field="step", tag="reconcile"):
    """Something has changed: run reconcile now, not at the next minute."""


class Enqueue(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="enqueue"):
    """List the objects under `prefix` that come after the key `after`, and enqueue them.

    `run` is the id that the job's row holds until the last step; it began at `began`. `again`: an
    earlier step may have died in the middle of it.
    """

    job: str
    run: str
    bucket: str
    prefix: str
    began: datetime
    after: str = ""
    newer_than: datetime | None = None
    again: bool = False


class Retry(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="retry"):
    """Put tasks back in the queue, from where the run's progress says.

    `run` and `again` as of an enqueue.
    """

    job: str
    run: str
    again: bool = False


class Purge(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="purge"):
    """Remove rows of a job that is being deleted, and at last the job."""

    job: str


Step = Reconcile | Enqueue | Retry | Purge


class NotSent(ParallelizerError):
    """SQS did not take a message; what it stands for is not under way."""


def decode(body: str) -> Step:
    """The step of a message's body; raises msgspec.MsgspecError."""
    step: Step = msgspec.json.decode(body, type=Step)
    return step


def send(context: Context, step: Step, *, delay_seconds: int = 0) -> None:
    """Send a step; raises NotSent."""
    [taken] = context.steps.send([msgspec.json.encode(step).decode()], delay_seconds=delay_seconds)
    if not taken:
        raise NotSent(f"the steps queue did not take a step: {type(step).__name__}")


def nudge(context: Context) -> None:
    """Run reconcile now: a person waits for it."""
    try:
        send(context, Reconcile())
    except (*CALL_FAILED, Unwritten, NotSent) as error:
        _not_nudged(error)


def nudge_soon(context: Context) -> None:
    """Run reconcile within the nudge's span, once for all who ask in it.

    The message comes at the end of the span, so it covers what was written since it began.
    """
    span = context.settings.nudge_seconds
    try:
        if context.registry.may_nudge(now=context.now(), seconds=span):
            send(context, Reconcile(), delay_seconds=round(span))
    except (*CALL_FAILED, Unwritten, NotSent) as error:
        _not_nudged(error)


def _not_nudged(error: Exception) -> None:
    # What it was for is written already, and the clock runs reconcile within a minute.
    log.warning("reconcile could not be nudged: %s", error)
