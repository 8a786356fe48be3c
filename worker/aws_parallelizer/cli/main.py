"""The command line: the table of its commands. What a command does stands in the modules that it
imports.
"""

from __future__ import annotations

import typer

from aws_parallelizer.cli import file_commands as files
from aws_parallelizer.cli import job_commands as jobs
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


def worker() -> None:
    """Work on tasks: what an instance runs at its boot.

    \b
    Example: aws-parallelizer worker
    """
    from aws_parallelizer.worker import main as worker_main

    raise typer.Exit(worker_main.run())


# As `--help` lists them: in the order in which they are wanted.
for command in (
    jobs.create,
    files.upload,
    files.enqueue,
    files.retry,
    jobs.start,
    jobs.status,
    files.tasks,
    files.task,
    files.download,
    jobs.pause,
    jobs.resume,
    jobs.stop,
    jobs.delete,
    jobs.doctor,
    worker,
):
    app.command()(command)


def main() -> None:
    """The command `aws-parallelizer`."""
    app(prog_name="aws-parallelizer")
