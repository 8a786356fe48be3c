"""What the functions behind queues and the clock do with an event."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from chalicelib import enqueueing, ingest, jobs, reconcile, retrying, steps
from chalicelib.context import Context
from chalicelib.ingest import Told

log = logging.getLogger(__name__)


def upload(context: Context, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Take in a batch of the uploads queue; what failed, as Lambda wants to be told."""
    told = [_told(record) for record in records]
    failed = ingest.ingest(context, told)
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def step(context: Context, records: Sequence[dict[str, Any]]) -> None:
    """Carry out the steps of a batch; an error makes SQS deliver it again."""
    for told in map(_told, records):
        try:
            found = steps.decode(told.body)
        except msgspec.MsgspecError:
            log.exception("message %s of the steps queue is no step", told.message_id)
            raise  # after some deliveries it lies in the dead-letter queue, to be looked at
        _carry_out(context, found, told.receives)


def _carry_out(context: Context, found: steps.Step, delivery: int) -> None:
    match found:
        case steps.Reconcile():
            reconcile.run(context)
        case steps.Enqueue():
            enqueueing.carry_on(context, found, delivery=delivery)
        case steps.Retry():
            retrying.carry_on(context, found, delivery=delivery)
        case steps.Purge():
            jobs.purge(context, found)


def _told(record: dict[str, Any]) -> Told:
    receives = int(record["attributes"]["ApproximateReceiveCount"])
    return Told(record["messageId"], record["body"], receives, record["receiptHandle"])
