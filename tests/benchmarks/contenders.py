"""Ours and its peers: how each is given the work and started."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from aws_parallelizer.worker import __file__ as worker_file
from benchmarks.sites import Job, Site
from fakes.metadata import Metadata
from fakes.spot_api import SpotApi

_PEERS = Path(__file__).with_name("peers")
_LIBRARY = Path(worker_file).parents[2]


class Started(NamedTuple):
    """A contender at its work, and what is to be closed after it."""

    process: subprocess.Popen[bytes]
    close: Callable[[], object] = lambda: None
    writes_per_file: Callable[[], float] = lambda: 0


class Contender(NamedTuple):
    """`files` it gets of 1 KiB; `whole`: it ends by itself, and is measured from start to end, its
    command included; `missing` says what of it is not installed.
    """

    name: str
    files: int
    start: Callable[[Site], Started]
    has_ledger: bool = False
    has_queue: bool = True
    whole: bool = False
    missing: Callable[[], str] = lambda: ""


def _start(site: Site, command: Sequence[str], **settings: str) -> subprocess.Popen[bytes]:
    with (site.folder / "console").open("wb") as console:
        return subprocess.Popen(
            command,
            cwd=site.folder,
            env={**site.environment, **settings},
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )


def _worker(site: Site) -> Started:
    job = Job(site)
    job.enqueue()
    metadata = Metadata(
        {
            "user-data": job.user_data(),
            "meta-data/instance-id": b"i-0123456789abcdef0",
            "meta-data/placement/region": b"us-east-1",
        }
    )
    spot = SpotApi("i-0123456789abcdef0")
    ledger = site.ledger_server
    process = _start(
        site,
        [
            sys.executable,
            "-c",
            "import sys; from aws_parallelizer.worker import main; sys.exit(main.run())",
        ],
        PYTHONPATH=str(_LIBRARY),
        AWS_ENDPOINT_URL_EC2=spot.url,
        AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url,
        PARALLELIZER_SCRATCH=str(site.folder / "scratch"),
        PARALLELIZER_POWEROFF="true",
        **({"AWS_ENDPOINT_URL_DYNAMODB": ledger.url} if ledger else {}),
    )

    def close() -> None:
        metadata.close()
        spot.close()

    return Started(process, close, job.writes_per_file)


def _boto3_loop(site: Site) -> Started:
    site.send(site.keys)
    return Started(_start(site, [sys.executable, str(_PEERS / "boto3_loop.py")]))


def _celery(site: Site) -> Started:
    command = [sys.executable, "-m", "celery", "--app", "celery_tasks", "worker"]
    command += ["--pool", "threads", "--concurrency", str(2 * site.slots), "--loglevel", "WARNING"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    settings = {"PYTHONPATH": str(_PEERS)}
    subprocess.run(
        [sys.executable, str(_PEERS / "celery_tasks.py")],
        env={**site.environment, **settings},
        input="\n".join(site.keys).encode(),
        check=True,
    )
    return Started(_start(site, command, **settings))


def _by_script(name: str) -> Callable[[Site], Started]:
    def start(site: Site) -> Started:
        (site.folder / "keys").write_text("".join(f"{key}\n" for key in site.keys))
        return Started(_start(site, ["sh", str(_PEERS / name)], BENCH_KEYS="keys"))

    return start


def _lacks_module(name: str) -> Callable[[], str]:
    return lambda: "" if find_spec(name) else f"the Python package {name}"


def _lacks_commands(*names: str) -> Callable[[], str]:
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    return lambda: ", ".join(name for name in names if not shutil.which(name, path=path))


WORKER = Contender("worker", 3000, _worker, has_ledger=True)
WITHOUT_LEDGER = Contender("worker without a ledger", 3000, _worker)
BOTO3_LOOP = Contender("boto3, one message at a time", 500, _boto3_loop)
CELERY = Contender("Celery on SQS", 1000, _celery, missing=_lacks_module("celery"))
PARALLEL = Contender(
    "GNU parallel and s5cmd, a file at a time",
    150,
    _by_script("parallel.sh"),
    has_queue=False,
    whole=True,
    missing=_lacks_commands("parallel", "s5cmd"),
)
BULK = Contender(
    "s5cmd in bulk and xargs, no queue",
    3000,
    _by_script("bulk.sh"),
    has_queue=False,
    whole=True,
    missing=_lacks_commands("xargs", "s5cmd"),
)
