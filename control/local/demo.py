"""`make demo`: a whole job on this machine, through the commands that a user would type.

It ends with 0 only if every file is accounted for and nothing that would cost money is left.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.cli import creation, downloads, environments, uploads, watching
from aws_parallelizer.cli.connection import Connection, connect
from aws_parallelizer.core.errors import ParallelizerError
from aws_parallelizer.core.fleet import TAG_JOB
from local import accounts, children, env_file, lock, sample, settings

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "textstats"
LOCAL = Path(".local")
OUTPUT = Path("demo-output")
START_SECONDS = 120.0
SAMPLE_SECONDS = 300.0  # for the example's files; a user's own program may take as long as it needs
GONE_SECONDS = 90.0

# The spot request is persistent so that its cancelling is seen; the spans are a demo's.
SETTINGS = ("spotType=persistent", "maxInstances=2", "idleTimeout=5", "visibilityTimeout=30")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the user gave; `inputs` None = the files that every machine has."""

    inputs: Path | None
    environment: Path
    program: str


class DemoFailed(ParallelizerError):
    """The demo did not come to its end, or its end is not right."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 130 after Ctrl-C."""
    console = Console(highlight=False)
    try:
        with cloud(console) as alive:
            return run(_options(arguments), console=console, alive=alive)
    except (ParallelizerError, children.ChildFailed) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; everything that it started has been ended", file=sys.stderr)
        return 130


def _options(arguments: Sequence[str] | None) -> Wanted:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--input", type=Path, help="your files; else text files of this machine")
    parser.add_argument("--environment", type=Path, default=EXAMPLE, help="directory or zip")
    parser.add_argument("--program", default="run.sh", help="the file in it to run")
    given = parser.parse_args(arguments)
    # Not every shell expands the ~ of `make demo INPUT=~/photos`.
    return Wanted(
        inputs=given.input and given.input.expanduser(),
        environment=given.environment.expanduser(),
        program=given.program,
    )


@contextlib.contextmanager
def cloud(console: Console) -> Iterator[Callable[[], bool]]:
    """A local cloud to work on, one of our own unless one runs; yields whether it still does."""
    LOCAL.mkdir(exist_ok=True)
    try:
        with lock.held(LOCAL / "lock"):
            pass
    except lock.AlreadyRunning:
        console.print("A local cloud runs already; it is used, and left running.")
        _await(lambda: (LOCAL / "env").exists(), "the running local cloud is not ready")
        yield lambda: True
        return
    console.print("Starting the local cloud ...")
    own = children.start(
        "the local cloud",
        [sys.executable, "-m", "local", "up", "--directory", str(LOCAL)],
        environment=os.environ,
        log_to=LOCAL / "up.log",
    )
    try:
        _await(lambda: (LOCAL / "env").exists() or own.has_ended(), "no local cloud")
        if own.has_ended():
            raise children.failure(own)
        yield lambda: not own.has_ended()
    finally:
        children.end(own)


def _await(condition: Callable[[], bool], failure: str, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DemoFailed(f"{failure} after {seconds:.0f} s")
        time.sleep(0.2)


def run(wanted: Wanted, *, console: Console, alive: Callable[[], bool]) -> int:
    """The job from its making to its accounts; the exit code."""
    _enter_cloud()
    connection = connect(settings.STACK)
    job = _create(connection, wanted, console=console)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        inputs = wanted.inputs or sample.gather(Path(folder))
        sent = uploads.upload(connection, job, paths=[inputs], console=console)
    _watch(connection, job, sent=sent, limited=wanted.inputs is None, alive=alive, console=console)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    fetched = downloads.download(connection, job, folder=OUTPUT, console=console)
    fleet = Ec2(clients.client("ec2"), launcher=None)
    gone = _await_gone(fleet, job, console=console)
    report = accounts.audit(
        sent=[item.key for item in sent],
        tasks=[
            task for page in connection.api.pages(f"/jobs/{job}/tasks") for task in page["tasks"]
        ],
        fetched={item.key: item.size for item in fetched.items},
    )
    console.print(accounts.table(report, gone, folder=OUTPUT, seconds=time.monotonic() - begun))
    return 0 if report.balanced and gone.nothing_left else 1
