"""`make demo`: a whole job on this machine, through the commands that a user would type.

It ends with 0 only if every file is accounted for and nothing that would cost money is left.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.cli import creation, downloads, environments, uploads, watching
from aws_parallelizer.cli.connection import Connection, connect
from aws_parallelizer.core.errors import ParallelizerError
from aws_parallelizer.core.fleet import TAG_JOB
from aws_parallelizer.core.outcome import OPEN
from local import accounts, children, env_file, lock, sample, settings

EXAMPLE = Path(os.path.relpath(Path(__file__).parents[2] / "docs" / "examples" / "textstats"))
LOCAL = Path(".local")
OUTPUT = Path("demo-output")
START_SECONDS = 120.0
SAMPLE_SECONDS = 300.0  # for the example's files; a user's own program may take as long as it needs
GONE_SECONDS = 90.0
LOOK_SECONDS = 0.2  # for a file of this machine
ASK_SECONDS = 0.5  # the local EC2

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
    wanted = _options(arguments)
    try:
        with cloud(console) as alive:
            return run(wanted, console=console, alive=alive)
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
    inputs, environment = given.input and given.input.expanduser(), given.environment.expanduser()
    for path in filter(None, (inputs, environment)):
        if not path.exists():
            parser.error(f"there is no {path}")
        if path.resolve().is_relative_to(OUTPUT.resolve()):
            parser.error(f"{path} would be removed: the demo writes {OUTPUT} anew")
    return Wanted(inputs=inputs, environment=environment, program=given.program)


@contextlib.contextmanager
def cloud(console: Console) -> Iterator[Callable[[], bool]]:
    """A local cloud to work on, one of our own unless one runs; yields whether it still does."""
    LOCAL.mkdir(exist_ok=True)
    try:
        with lock.held(LOCAL / lock.NAME):
            (LOCAL / "env").unlink(missing_ok=True)  # of one that was killed: it is not ready
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
        time.sleep(LOOK_SECONDS)


def run(wanted: Wanted, *, console: Console, alive: Callable[[], bool]) -> int:
    """The job from its making to its accounts; the exit code."""
    _enter_cloud()
    connection = connect(settings.STACK)
    job = _create(connection, wanted, console=console)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        inputs = wanted.inputs or sample.gather(Path(folder))
        sent = uploads.upload(connection, job, paths=[inputs], console=console)
    if not sent:
        raise DemoFailed(f"there is no file in {inputs}")
    limit = None if wanted.inputs else SAMPLE_SECONDS
    _watch(connection, job, files=len(sent), limit=limit, alive=alive, console=console)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    fetched = downloads.download(connection, job, folder=OUTPUT, console=console)
    left = _await_gone(job, console=console)
    report = accounts.audit(
        sent=[item.key for item in sent],
        tasks=_tasks(connection, job),
        fetched={item.key: item.size for item in fetched.items},
    )
    console.print(accounts.summary(report, left, seconds=time.monotonic() - begun))
    console.print(f"The outputs are in ./{OUTPUT}.")
    return 0 if report.balanced and left.nothing else 1


def _enter_cloud() -> None:
    """Point this process at the local cloud, and away from any account."""
    told = env_file.read(LOCAL / "env")
    port, ec2_port = (
        urlsplit(told[name]).port or 0 for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2")
    )
    place = settings.Place(directory=LOCAL.resolve(), port=port, ec2_port=ec2_port)
    here = {**settings.environment(place, os.environ), **told}
    os.environ.clear()
    os.environ.update(here)


def _create(connection: Connection, wanted: Wanted, *, console: Console) -> str:
    with environments.packed(wanted.environment) as packed:
        chosen = (f"analysisProgram={wanted.program}", *SETTINGS)
        parameters = creation.read("", settings=chosen, environment=packed)
        taken = {entry["job"] for page in connection.api.pages("/jobs") for entry in page["jobs"]}
        names = itertools.chain(["demo"], (f"demo-{number}" for number in itertools.count(2)))
        job = next(name for name in names if name not in taken)
        creation.create(connection, job, wanted=parameters)
    console.print(f"Job {job}: {wanted.environment / wanted.program}")
    return job


def _watch(
    connection: Connection,
    job: str,
    *,
    files: int,
    limit: float | None,
    alive: Callable[[], bool],
    console: Console,
) -> None:
    begun = time.monotonic()

    def ended(document: watching.Document) -> bool:
        if not alive():
            raise DemoFailed(f"the local cloud has ended; {LOCAL / 'up.log'} says why")
        if limit and time.monotonic() - begun > limit:
            raise DemoFailed(f"not done after {limit:.0f} s: {watching.doing(document)}")
        counts: dict[str, int] = document["status"]["counts"]
        return sum(counts.values()) - sum(counts[state] for state in OPEN) >= files

    watching.watch(connection, job, console=console, until=ended)


def _tasks(connection: Connection, job: str) -> list[Mapping[str, Any]]:
    return [task for page in connection.api.pages(f"/jobs/{job}/tasks") for task in page["tasks"]]


def _await_gone(job: str, *, console: Console) -> accounts.Left:
    """Wait until the fleet is gone, as EC2 and not the control plane tells it."""
    ec2 = Ec2(clients.client("ec2"), launcher=None)
    deadline = time.monotonic() + GONE_SECONDS
    with console.status("waiting until the spot requests are cancelled and the instances end"):
        while True:
            left = accounts.Left.of(
                requests=ec2.requests({f"tag:{TAG_JOB}": [job]}),
                instances=ec2.instances({f"tag:{TAG_JOB}": [job]}),
            )
            if left.nothing or time.monotonic() > deadline:
                return left
            time.sleep(ASK_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
