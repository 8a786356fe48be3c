"""`on_upload`: S3's events become tasks of the jobs whose inputs they are. Never launches."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.dynamodb import Unwritten
from aws_parallelizer.core import job as jobs
from aws_parallelizer.core import task
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.task import Task
from chalicelib import filters, intake, steps, uploads
from chalicelib.context import Context
from chalicelib.intake import Arrival

log = logging.getLogger(__name__)

_EVER = datetime.min.replace(tzinfo=UTC)


class Told(NamedTuple):
    """One message of the uploads queue."""

    message_id: str
    body: str
    receives: int
    handle: str


class _Found(NamedTuple):
    message_id: str
    arrival: Arrival


def ingest(context: Context, messages: Iterable[Told]) -> list[str]:
    """Take in what the messages tell of; the ids of those to be delivered again."""
    failed: dict[str, None] = {}
    poison: list[Told] = []
    found: dict[str, list[_Found]] = {}
    strangers = 0
    known = {job.name: job for job in context.registry.jobs()}
    for told in messages:
        notification = uploads.decode(told.body)
        for flaw in notification.malformed:
            log.error("message %s of the uploads queue: %s", told.message_id, flaw)
            failed[told.message_id] = None
        if notification.malformed:
            poison.append(told)
        elif not notification.created:
            log.info("message %s of the uploads queue tells of no new object", told.message_id)
        for created in notification.created:
            owner = jobs.owner(known.values(), bucket=created.bucket, key=created.key)
            if owner:
                found.setdefault(owner.name, []).append(_found(told, owner, created))
            strangers += owner is None
    if strangers:
        log.info("%d new objects belong to no job and are passed over", strangers)
    for name, of_job in found.items():
        failed |= dict.fromkeys(_take_in(context, known[name], of_job))
    if found:
        steps.nudge_soon(context)
    _hurry(context, poison)
    return list(failed)


def _hurry(context: Context, poison: Sequence[Told]) -> None:
    """Have poison delivered again at once, so that it soon lies in the dead-letter queue: while it
    is in flight, no job counts as empty.
    """
    try:
        context.uploads.extend({told.handle: 0 for told in poison})
    except CALL_FAILED as error:
        # It comes again all the same, when its lease runs out.
        log.warning("%d poison messages could not be hurried: %s", len(poison), error)


def _found(told: Told, owner: Job, created: uploads.Created) -> _Found:
    message = Message(
        job=owner.name,
        bucket=created.bucket,
        key=created.key,
        etag=created.etag,
        size=created.size,
    )
    again = told.receives > 1  # an earlier delivery may have ended between row and message
    return _Found(told.message_id, Arrival(message, created.sequencer, _EVER if again else None))


def _take_in(context: Context, job: Job, found: Sequence[_Found]) -> list[str]:
    def decide(row: Task | None, arrival: Arrival) -> Task | None:
        now = context.now()
        reason = filters.why_skipped(job.parameters.filter, arrival.message)
        if reason:
            return task.skip(
                row, arrival.message, sequencer=arrival.sequencer, reason=reason, now=now
            )
        return task.enqueue(row, arrival.message, sequencer=arrival.sequencer, now=now)

    try:
        safe = intake.take_in(context, job, [one.arrival for one in found], decide=decide)
    except (*CALL_FAILED, Unwritten):
        # Every message of this job comes again; those of other jobs in the batch do not.
        log.exception("%d uploads of job %s are not taken in", len(found), job.name)
        safe = [False] * len(found)
    return [one.message_id for one, taken in zip(found, safe, strict=True) if not taken]
