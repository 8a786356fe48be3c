"""The commands about jobs and what they run on: parse, call, print.

The imports stand in the commands, so that `--help` and the worker's start wait for no library that
they do not use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aws_parallelizer.cli.options import DEFAULT_STACK, Job, Json, Stack, Yes


def create(
    job: Job,
    parameters_file: Annotated[
        Path | None, typer.Argument(help="Lines of name=value.", dir_okay=False, exists=True)
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter; goes before the file's."),
    ] = None,
    environment: Annotated[
        Path | None,
        typer.Option(
            help="A directory to zip, or a zip, with the program; stored as environmentZip.",
            exists=True,
        ),
    ] = None,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Create a job, or change one: its queues are made, and files may come.

    \b
    Example: aws-parallelizer create photos parameters.txt --environment ./my-env
    """
    from aws_parallelizer.cli import creation, environments, output
    from aws_parallelizer.cli.connection import connect

    with environments.packed(environment) as packed:
        text = creation.text(parameters_file) if parameters_file else ""
        wanted = creation.read(text, settings=settings or [], environment=packed)
        output.warn(wanted.warnings)
        output.created(creation.create(connect(stack), job, wanted=wanted))


def start(
    job: Job,
    count: Annotated[int, typer.Option(min=1, help="How many instances.")] = 1,
    max_price: Annotated[
        float | None, typer.Option(help="Dollars an hour for each; the job's by default.")
    ] = None,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Launch instances now. Without it, they come by themselves when there is work.

    \b
    Example: aws-parallelizer start photos --count 4
    """
    from aws_parallelizer.cli import output
    from aws_parallelizer.cli.connection import connect

    price = {} if max_price is None else {"maxPrice": max_price}
    connect(stack).api.post(f"/jobs/{job}/instances", {"count": count, **price})
    output.say(f"{count} more wanted; `status {job}` shows them come.")


def status(
    job: Annotated[str, typer.Argument(metavar="JOB", help="One job; all without it.")] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Show it live, until Ctrl-C.")] = False,
    json: Json = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Show how far a job is and what it runs on, or list all jobs.

    \b
    Example: aws-parallelizer status photos --watch
    """
    from aws_parallelizer.cli import output, watching
    from aws_parallelizer.cli.connection import connect

    connection = connect(stack)
    if watch and job:
        watching.watch(connection, job, console=output.console())
    elif job:
        output.job(connection.job(job), as_json=json)
    else:
        output.jobs(connection.api.get("/jobs"), as_json=json)


def pause(job: Job, stack: Stack = DEFAULT_STACK) -> None:
    """Launch nothing and begin no task until `resume`; tasks that run go on.

    \b
    Example: aws-parallelizer pause photos
    """
    from aws_parallelizer.cli import output
    from aws_parallelizer.cli.connection import connect

    answer = connect(stack).api.post(f"/jobs/{job}/pause", {})
    output.say(f"{job} is paused: {answer['message']}.")


def resume(job: Job, stack: Stack = DEFAULT_STACK) -> None:
    """Go on with a job that was paused.

    \b
    Example: aws-parallelizer resume photos
    """
    from aws_parallelizer.cli import output
    from aws_parallelizer.cli.connection import connect

    answer = connect(stack).api.post(f"/jobs/{job}/resume", {})
    output.say(f"{job} is resumed: {answer['message']}.")


def stop(job: Job, yes: Yes = False, stack: Stack = DEFAULT_STACK) -> None:
    """The panic button: cancel this job's spot requests and terminate its instances, busy ones too.

    \b
    Example: aws-parallelizer stop photos
    """
    from aws_parallelizer.cli import output
    from aws_parallelizer.cli.connection import connect

    connection = connect(stack)
    output.ask(f"End all instances of {job}, whatever they are doing?", yes=yes)
    connection.api.delete(f"/jobs/{job}/instances")
    output.say(f"{job} is stopping; `status {job}` shows it. Its files stay as they are.")


def delete(
    job: Job,
    purge: Annotated[
        bool,
        typer.Option("--purge", help="Remove the ledger's rows too: what became of each file."),
    ] = False,
    yes: Yes = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Stop everything of a job and remove it with its queues. Inputs and outputs stay.

    \b
    Example: aws-parallelizer delete photos
    """
    from aws_parallelizer.cli import output, watching
    from aws_parallelizer.cli.connection import connect

    connection = connect(stack)
    output.ask(f"Delete {job}, its instances and its queues?", yes=yes)
    connection.api.delete(f"/jobs/{job}", purge="true" if purge else "")
    watching.until_gone(connection, job, console=output.progress())
    output.say(f"{job} is gone.")


def doctor(
    job: Annotated[str, typer.Option(help="Check what this job would launch.")] = "",
    parameters_file: Annotated[
        Path | None,
        typer.Option(
            "--parameters",
            help="Check a parameter file before its job is made.",
            dir_okay=False,
            exists=True,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print each finding as JSON.")] = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Check all that a launch needs before it costs money, a line each. Nothing is changed.

    \b
    Example: aws-parallelizer doctor --job photos
    """
    from aws_parallelizer.cli import creation, output
    from aws_parallelizer.cli.connection import api_address
    from aws_parallelizer.cli.doctor import examination
    from aws_parallelizer.cli.doctor.chart import Request

    lines = creation.text(parameters_file) if parameters_file else None
    request = Request(stack=stack, api=api_address(), job=job, lines=lines)
    findings = output.findings(examination.examine(request), as_json=json)
    raise typer.Exit(examination.exit_code(findings))
