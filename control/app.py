"""The routes and triggers of the control plane: parse, call, answer. Nothing is decided here."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from typing import Any, cast

from chalice.app import Chalice, CloudWatchEvent, IAMAuthorizer, Rate, Request, Response, SQSEvent

from aws_parallelizer.core.job import checked_name
from chalicelib import answers, api, requests, settings, spot_events, triggers
from chalicelib import context as contexts
from chalicelib import reconcile as fleets

app = Chalice(app_name="aws-parallelizer")
app.log.setLevel(logging.INFO)
logging.getLogger().setLevel(logging.INFO)
log = logging.getLogger(__name__)

_SIGNED = IAMAuthorizer()
_SET_BY_TEMPLATE = "set-by-resources.json"

Handler = Callable[..., answers.Answer]


@functools.cache
def _context() -> contexts.Context:
    return contexts.connect(settings.read(os.environ))


def _call() -> api.Call:
    request = cast("Request", app.current_request)  # there is one while a route is answered
    body = request.raw_body
    return api.Call(
        path=request.path.format(**(request.uri_params or {})),
        query=dict(request.query_params or {}),
        body=body.encode() if isinstance(body, str) else body,
        content_type=request.headers.get("content-type", ""),
        idempotency_key=requests.idempotency_key(request.headers.get("idempotency-key")),
    )


def _route(method: str, path: str, *content_types: str) -> Callable[[Handler], Handler]:
    """A signed route; the handler's errors become answers here and nowhere else."""

    def register(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def answered(**names: str) -> Response:
            try:
                # All names in paths are jobs'.
                answer = handler(**{key: checked_name(name) for key, name in names.items()})
            except Exception as error:
                answer = answers.failure(error)
                log.log(
                    answers.severity(answer), "%s %s", method, path, exc_info=answer.unexplained
                )
            return Response(
                answers.encode(answer.document),
                {"Content-Type": "application/json"},
                answer.status,
            )

        types = list(content_types or ("application/json",))
        app.route(path, methods=[method], authorizer=_SIGNED, content_types=types)(answered)
        return handler

    return register


@_route("GET", "/jobs")
def list_jobs() -> answers.Answer:
    return api.list_jobs(_context(), _call())


@_route("PUT", "/jobs/{job}", "application/json", "text/plain")
def put_job(job: str) -> answers.Answer:
    return api.put_job(_context(), _call(), job)


@_route("GET", "/jobs/{job}")
def get_job(job: str) -> answers.Answer:
    return api.get_job(_context(), _call(), job)


@_route("DELETE", "/jobs/{job}")
def delete_job(job: str) -> answers.Answer:
    return api.delete_job(_context(), _call(), job)


@_route("POST", "/jobs/{job}/enqueue")
def enqueue(job: str) -> answers.Answer:
    return api.enqueue(_context(), _call(), job)


@_route("POST", "/jobs/{job}/retry")
def retry(job: str) -> answers.Answer:
    return api.retry(_context(), _call(), job)


@_route("GET", "/jobs/{job}/tasks")
def list_tasks(job: str) -> answers.Answer:
    return api.list_tasks(_context(), _call(), job)


@_route("GET", "/jobs/{job}/task")
def get_task(job: str) -> answers.Answer:
    return api.get_task(_context(), _call(), job)


@_route("GET", "/jobs/{job}/instances")
def list_instances(job: str) -> answers.Answer:
    return api.list_instances(_context(), _call(), job)


@_route("POST", "/jobs/{job}/instances")
def launch(job: str) -> answers.Answer:
    return api.launch(_context(), _call(), job)


@_route("DELETE", "/jobs/{job}/instances")
def stop_instances(job: str) -> answers.Answer:
    return api.stop_instances(_context(), _call(), job)


@_route("POST", "/jobs/{job}/pause")
def pause(job: str) -> answers.Answer:
    return api.pause(_context(), _call(), job)


@_route("POST", "/jobs/{job}/resume")
def resume(job: str) -> answers.Answer:
    return api.resume(_context(), _call(), job)


@app.on_sqs_message(
    queue_arn=_SET_BY_TEMPLATE, batch_size=100, maximum_batching_window_in_seconds=1
)
def on_upload(event: SQSEvent) -> dict[str, Any]:
    return triggers.upload(_context(), event.to_dict()["Records"])


@app.on_sqs_message(queue_arn=_SET_BY_TEMPLATE, batch_size=1)
def on_step(event: SQSEvent) -> None:
    triggers.step(_context(), event.to_dict()["Records"])


@app.schedule(Rate(1, unit=Rate.MINUTES))
def reconcile(event: CloudWatchEvent) -> None:  # noqa: ARG001 - the clock says nothing more
    fleets.run(_context())


# Not Chalice's on_cw_event: its class fails on an event that lacks a field before anything of ours
# runs, and Lambda would send it again.
@app.lambda_function()
def on_spot_event(event: object, lambda_context: object) -> None:  # noqa: ARG001 - Lambda gives it
    spot_events.take(_context(), event)
