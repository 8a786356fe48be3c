"""The routes and triggers of the control plane: parse, call, answer. Nothing is decided here."""

from __future__ import annotations

import functools
import logging
import os
from typing import Any

from chalice.app import Chalice, CloudWatchEvent, Rate, SQSEvent

from chalicelib import context as contexts
from chalicelib import settings

log = logging.getLogger(__name__)

app = Chalice(app_name="aws-parallelizer")

SET_BY_TEMPLATE = "set-by-resources.json"


@functools.cache
def _context() -> contexts.Context:
    return contexts.connect(settings.read(os.environ))


@app.route("/jobs", methods=["GET"])
def jobs() -> dict[str, Any]:
    return {"jobs": [job.name for job in _context().registry.jobs()]}


@app.on_sqs_message(queue_arn=SET_BY_TEMPLATE, batch_size=100, maximum_batching_window_in_seconds=1)
def on_upload(event: SQSEvent) -> dict[str, Any]:
    """New objects in a bucket."""
    log.info("%d messages", len(event.to_dict()["Records"]))
    return {}


@app.on_sqs_message(queue_arn=SET_BY_TEMPLATE, batch_size=1)
def on_step(event: SQSEvent) -> None:
    """A nudge, or the next step of work in the background."""


@app.schedule(Rate(1, unit=Rate.MINUTES))
def reconcile(event: CloudWatchEvent) -> None:
    """Compare what should be with what is."""
