"""The API's operations: what each route does with what the caller said."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aws_parallelizer.core.enqueue import Retry
from aws_parallelizer.core.errors import ParameterError, Problem
from aws_parallelizer.core.job import Job, Wish
from aws_parallelizer.core.task import Task
from chalicelib import answers, enqueueing, jobs, repetition, requests, retrying, status
from chalicelib.answers import Answer, whole
from chalicelib.context import Context

# Lambda answers at most 6 MB, its own JSON around ours included.
_MAX_PAGE_BYTES = 4_000_000


class Call(NamedTuple):
    """One HTTP request, decoded once from its transport."""

    path: str
    query: Mapping[str, str]
    body: bytes = b""
    content_type: str = "application/json"
    idempotency_key: str = ""


def list_jobs(context: Context, call: Call) -> Answer:
    """The jobs by name, each with what its fleet's row says."""
    wanted = requests.query(call.query, requests.Listing)
    following = [job for job in context.registry.jobs() if job.name > wanted.token]
    page = following[: wanted.limit]
    more = page[-1].name if len(following) > len(page) else None
    return Answer(200, {"jobs": [_listed(context, job) for job in page], "next": more})


def _listed(context: Context, job: Job) -> dict[str, Any]:
    return answers.job(job, status.brief(job, context.registry.fleet(job.name)))


def put_job(context: Context, call: Call, name: str) -> Answer:
    """Make or change a job."""
    parsed = requests.job_parameters(call.body, call.content_type)
    stored = jobs.put(context, name, parsed)
    document = answers.job(stored.job, status.full(context, stored.job), stored.warnings)
    return Answer(201 if stored.created else 200, document)


def get_job(context: Context, _: Call, name: str) -> Answer:
    """A job and all that is known of it."""
    job = context.registry.job(name)
    return Answer(200, answers.job(job, status.full(context, job)))


def delete_job(context: Context, call: Call, name: str) -> Answer:
    """Have a job stopped and removed."""
    wanted = requests.query(call.query, requests.Deletion)
    job = jobs.delete(context, name, purge=wanted.purge)
    return _accepted(
        context, job, "its machines are being ended, then its queues and the job are removed"
    )


def enqueue(context: Context, call: Call, name: str) -> Answer:
    """Begin to enqueue what is there."""
    wanted = requests.body(call.body, requests.Enqueue)

    def act() -> Answer:
        run = _id(call)
        step = enqueueing.start(context, name, run=run, bucket=wanted.bucket, prefix=wanted.prefix)
        return Answer(202, {"enqueue": run, "bucket": step.bucket, "prefix": step.prefix})

    return _once(context, call, act)


def retry(context: Context, call: Call, name: str) -> Answer:
    """Begin to put failed tasks back in the queue."""
    wanted = requests.body(call.body, requests.Retry)

    def act() -> Answer:
        run = _id(call)
        narrowed = Retry(outcome=wanted.outcome, keys=wanted.keys)
        retrying.start(context, name, run=run, prefix=wanted.prefix or "", wanted=narrowed)
        return Answer(202, {"retry": run})

    return _once(context, call, act)


def list_tasks(context: Context, call: Call, name: str) -> Answer:
    """A page of a job's tasks, through a JMESPath expression if one is given."""
    wanted = requests.query(call.query, requests.TaskQuery)
    compiled = requests.expression(wanted.query) if wanted.query else None
    context.registry.job(name)
    found, following = _page(context, name, wanted)
    tasks: object = found
    if compiled:
        tasks = requests.evaluated(compiled, answers.plain(found))
    return Answer(200, {"tasks": tasks, "next": following or None})


def _page(
    context: Context, name: str, wanted: requests.TaskQuery
) -> tuple[list[dict[str, Any]], str]:
    limit = wanted.limit
    while True:
        try:
            page = context.ledger.page(
                name, state=wanted.state, prefix=wanted.prefix, token=wanted.token, limit=limit
            )
        except ValueError as error:
            raise ParameterError([Problem("next", f"{error}.")]) from error
        found = [answers.task(row) for row in page.tasks]
        if limit == 1 or len(answers.encode(found)) <= _MAX_PAGE_BYTES:
            return found, page.next
        limit = max(1, limit // 4)  # a shorter page; its `next` leads to the rest


def get_task(context: Context, call: Call, name: str) -> Answer:
    """Why a task is as it is: the whole row, with links to its files."""
    wanted = requests.query(call.query, requests.OneTask)
    job = context.registry.job(name)
    row = context.ledger.get(name, wanted.key)
    return Answer(200, {**answers.task(row), "links": _links(context, job, row)})


def _links(context: Context, job: Job, row: Task) -> dict[str, Any]:
    outputs = str(job.parameters.output_bucket)
    return {
        "input": context.s3.link(row.bucket or str(job.parameters.input_bucket), row.key),
        "outputs": [
            {"key": output.key, "link": context.s3.link(outputs, output.key)}
            for output in row.outputs
        ],
        "log": context.s3.link(outputs, row.log_key) if row.log_key else None,
    }


def list_instances(context: Context, _: Call, name: str) -> Answer:
    """The fleet as reconcile last saw it."""
    job = context.registry.job(name)
    fleet = context.registry.fleet(name)
    return Answer(
        200,
        {
            "instances": [whole(one) for one in fleet.instances] if fleet else [],
            "requests": [whole(one) for one in fleet.requests] if fleet else [],
            "observed": fleet.observed if fleet else None,
            "wishes": [whole(one) for one in job.wishes],
            "next": None,
        },
    )


def launch(context: Context, call: Call, name: str) -> Answer:
    """Have instances launched, whatever the backlog."""
    wanted = requests.body(call.body, requests.Launch)

    def act() -> Answer:
        wish = Wish(id=_id(call), count=wanted.count, max_price=wanted.max_price)
        job = jobs.wish(context, name, wish)
        limit = job.parameters.max_instances
        sentence = f"instances to be asked of EC2: {wanted.count}, at most {limit} in all"
        return _accepted(context, job, sentence, launch=wish.id)

    return _once(context, call, act)


def stop_instances(context: Context, _: Call, name: str) -> Answer:
    """The panic button, for this job's machines only."""
    job = jobs.stop(context, name)
    sentence = "its spot requests are being cancelled and its machines ended; none is launched"
    return _accepted(context, job, sentence)


def pause(context: Context, call: Call, name: str) -> Answer:
    """Have nothing launched and no task begun."""
    requests.body(call.body, requests.Nothing)

    def act() -> Answer:
        sentence = (
            "nothing is launched and no task is begun until the job is resumed; tasks that run go "
            "on, and instances end when they have been idle for idleTimeout"
        )
        return _accepted(context, jobs.pause(context, name), sentence)

    return _once(context, call, act)


def resume(context: Context, call: Call, name: str) -> Answer:
    """Undo a pause."""
    requests.body(call.body, requests.Nothing)

    def act() -> Answer:
        job = jobs.resume(context, name)
        sentence = "instances are launched as the work needs them, and tasks are begun again"
        if job.stopped:
            sentence = "the job is stopped all the same: POST /instances sets it going"
        return _accepted(context, job, sentence)

    return _once(context, call, act)


def _accepted(context: Context, job: Job, sentence: str, **more: str) -> Answer:
    told = status.brief(job, context.registry.fleet(job.name))
    return Answer(202, {"job": job.name, "message": sentence, "status": told, **more})


def _once(context: Context, call: Call, act: Callable[[], Answer]) -> Answer:
    request = f"{call.path}\n{call.body.decode(errors='replace')}"
    return repetition.once(context, call.idempotency_key, request=request, act=act)


def _id(call: Call) -> str:
    """An id for what a POST begins; the same for its repetition."""
    if call.idempotency_key:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{call.path} {call.idempotency_key}").hex
    return uuid.uuid4().hex
