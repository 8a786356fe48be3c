"""The command line: parse, call, print. What a command does stands in the module that it imports.

The imports stand in the commands, so that `--help` and the worker's start wait for no library that
they do not use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aws_parallelizer.cli.group import Commands

app = typer.Typer(
    cls=Commands,
    name="aws-parallelizer",
    help="One command over many files, on EC2 spot instances.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's name.")]
Stack = Annotated[
    str,
    typer.Option(
        envvar="PARALLELIZER_STACK",
        help="The CloudFormation stack; PARALLELIZER_API, an address, goes before it.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

DEFAULT_STACK = "parallelizer"


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def pause(job: Job, stack: Stack = DEFAULT_STACK) -> None:
    """Launch nothing and begin no task until `resume`; tasks that run go on.

    \b
    Example: aws-parallelizer pause photos
    """
    from aws_parallelizer.cli import output
    from aws_parallelizer.cli.connection import connect

    answer = connect(stack).api.post(f"/jobs/{job}/pause", {})
    output.say(f"{job} is paused: {answer['message']}.")


@app.command()
def resume(job: Job, stack: Stack = DEFAULT_STACK) -> None:
    """Go on with a job that was paused.

    \b
    Example: aws-parallelizer resume photos
    """
    from aws_parallelizer.cli import output
    from aws_parallelizer.cli.connection import connect

    answer = connect(stack).api.post(f"/jobs/{job}/resume", {})
    output.say(f"{job} is resumed: {answer['message']}.")


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def worker() -> None:
    """Work on tasks: what an instance runs at its boot.

    \b
    Example: aws-parallelizer worker
    """
    from aws_parallelizer.worker import main as worker_main

    raise typer.Exit(worker_main.run())


def main() -> None:
    """The command `aws-parallelizer`."""
    app(prog_name="aws-parallelizer")
