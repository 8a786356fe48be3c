"""The commands about a job's files and the tasks that they become: parse, call, print.

The imports stand in the commands, so that `--help` and the worker's start wait for no library that
they do not use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aws_parallelizer.cli.options import DEFAULT_STACK, Job, Json, Stack


def upload(
    job: Job,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Files, or directories with all below.")
    ],
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Upload a job's input files; each becomes a task. To run it again is harmless.

    \b
    Example: aws-parallelizer upload photos ~/photos
    """
    from aws_parallelizer.cli import output, uploads
    from aws_parallelizer.cli.connection import connect

    sent = uploads.upload(connect(stack), job, paths=paths, console=output.progress())
    output.say(f"{len(sent)} files uploaded.")


def enqueue(
    job: Job,
    bucket: Annotated[str, typer.Option(help="Another bucket than the job's.")] = "",
    prefix: Annotated[str, typer.Option(help="Another prefix than the job's.")] = "",
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Enqueue what lies under the input prefix and is not done, failed tasks too.

    \b
    Example: aws-parallelizer enqueue photos
    """
    from aws_parallelizer.cli import output
    from aws_parallelizer.cli.connection import connect

    wanted = {name: value for name, value in {"bucket": bucket, "prefix": prefix}.items() if value}
    connect(stack).api.post(f"/jobs/{job}/enqueue", wanted)
    output.say("The objects are being listed and enqueued; `status` shows how many there are.")


def retry(
    job: Job,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY", help="Only these, skipped ones too: whole keys."),
    ] = None,
    outcome: Annotated[str, typer.Option(help="Only those that failed so: timeout, ...")] = "",
    prefix: Annotated[str, typer.Option(help="Only keys that start so.")] = "",
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Put failed tasks back in the queue, with a fresh count of attempts.

    \b
    Example: aws-parallelizer retry photos --outcome timeout
    """
    from aws_parallelizer.cli import output, retries
    from aws_parallelizer.cli.connection import connect

    wanted = {
        name: value for name, value in {"outcome": outcome, "prefix": prefix}.items() if value
    }
    told = retries.retry(
        connect(stack), job, wanted=wanted, keys=keys or [], console=output.progress()
    )
    output.say(told.sentence)


def tasks(
    job: Job,
    state: Annotated[str, typer.Option(help="queued, running, done, failed or skipped.")] = "",
    prefix: Annotated[str, typer.Option(help="Only keys that start so.")] = "",
    query: Annotated[
        str,
        typer.Option(help="A JMESPath expression over each page, such as tasks[?attempts>`1`]."),
    ] = "",
    json: Json = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """List a job's tasks; as JSON, which --query gives too, one a line.

    \b
    Example: aws-parallelizer tasks photos --state failed
    """
    from aws_parallelizer.cli import output
    from aws_parallelizer.cli.connection import connect

    pages = connect(stack).api.pages(f"/jobs/{job}/tasks", state=state, prefix=prefix, query=query)
    output.tasks(pages, as_json=json or bool(query))


def task(
    job: Job,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The whole key of the input object.")],
    json: Json = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Show what became of one task, and why.

    \b
    Example: aws-parallelizer task photos photos/2024/beach.jpg
    """
    from aws_parallelizer.cli import output
    from aws_parallelizer.cli.connection import connect

    output.task(connect(stack).api.get(f"/jobs/{job}/task", key=key), as_json=json)


def download(
    job: Job,
    directory: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False)],
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Download a job's outputs; those that are there already are left.

    \b
    Example: aws-parallelizer download photos ./results
    """
    from aws_parallelizer.cli import downloads, output
    from aws_parallelizer.cli.connection import connect

    plan = downloads.download(connect(stack), job, folder=directory, console=output.progress())
    output.say(f"{len(plan.items)} outputs downloaded, {plan.present} were there.")
