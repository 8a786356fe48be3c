"""The local EC2's process: `python -m local.ec2 --port 4567 --directory .local`.

The main thread is the clockwork, a second one serves HTTP on loopback: EC2's protocol, and
under `/_local/` what no AWS has, such as taking back a spot instance.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

# moto reads these at import: one account as ministack has it, no images, no pages of other origins.
os.environ.setdefault("MOTO_ACCOUNT_ID", "000000000000")
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from aws_parallelizer.aws import clients
from local import clockwork, roots
from local.admin import admin_path
from local.bodies import Bodies, Kind, machine_options
from local.calls import Calls
from local.cloud import Cloud
from local.estate import Estate
from local.event_bus import EventBus
from local.images import ImageStore
from local.machine import Spans
from local.metadata import Credentials
from local.moto_ec2 import application
from local.moto_images import register, register_base
from local.moto_rows import MotoRows
from local.process_body import Surroundings
from local.settings import REGION

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
# Until the power is cut. A real machine's services have their time to stop.
STOPPING = {
    Kind.WORKER: Spans().stopping,
    Kind.NSPAWN: timedelta(minutes=2),
    Kind.QEMU: timedelta(minutes=3),
}
WORKER = [sys.executable, "-m", "aws_parallelizer", "worker"]


class Handler(MotoRequestHandler):
    """moto's, with its access log in the log."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
        log.debug("%s: " + message, type, *args)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    serve(options, done=done)


def serve(options: argparse.Namespace, *, done: threading.Event) -> None:
    """Until `done` is set; then every body ends."""
    woken = threading.Event()
    rows = MotoRows(os.environ["MOTO_ACCOUNT_ID"])
    bodies = _bodies(options, rows)
    estate = Estate(
        rows=rows,
        make_body=bodies.make,
        now=lambda: datetime.now(UTC),
        wake=woken.set,
        spans=Spans(
            relaunch=timedelta(seconds=options.relaunch_seconds),
            stopping=STOPPING[options.body],
        ),
    )
    cloud = Cloud(estate, tell=_tell())
    calls = Calls(options.directory / "calls.jsonl")
    server: Any = make_server(
        "127.0.0.1",
        options.port,
        admin_path(cloud, application(cloud, rows, images=bodies.images, calls=calls)),
        threaded=True,
        request_handler=Handler,
    )
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    log.info("serving on port %s", options.port)
    try:
        while not done.is_set():
            woken.wait(TICK_SECONDS)
            woken.clear()
            clockwork.tick(estate)
    finally:
        server.shutdown()
        clockwork.end_all(estate)
        log.info("ended")


def _tell() -> Callable[[dict[str, Any]], None]:
    """To the EventBridge of the cloud that this EC2 belongs to; alone, it speaks to nobody."""
    if "AWS_ENDPOINT_URL" not in os.environ:
        return lambda _: None
    return EventBus(clients.client("events"), clients.client("lambda")).tell


def _bodies(options: argparse.Namespace, rows: MotoRows) -> Bodies:
    """With Debian's images of the releases asked for, and those that were built here before."""
    images = ImageStore(options.images)
    for image in images.images() if options.body is not Kind.WORKER else ():
        register(rows.backend(image.region), image)
    arch = roots.native_arch()
    bases = {
        register_base(rows.backend(REGION), release=release, arch=arch): roots.base(release)
        for release in options.release
    }
    return Bodies(
        kind=options.body,
        surroundings=_surroundings(options),
        images=images,
        ssh_port=options.ssh_port,
        bases=bases,
    )


def _surroundings(options: argparse.Namespace) -> Surroundings:
    here = f"http://127.0.0.1:{options.port}"
    return Surroundings(
        directory=options.directory.resolve(),
        command=shlex.split(options.command) if options.command else WORKER,
        endpoint=os.environ.get("AWS_ENDPOINT_URL", here),
        ec2_endpoint=here,
        credentials=Credentials(
            access_key=os.environ.get("AWS_ACCESS_KEY_ID", "test"),
            secret_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
            token=secrets.token_urlsafe(32),
        ),
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.ec2", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True, help="holds instances/")
    parser.add_argument("--command", help="what an instance runs instead of the worker")
    parser.add_argument(
        "--relaunch-seconds",
        type=float,
        default=Spans().relaunch.total_seconds(),
        help="from the end of a persistent request's instance to its replacement",
    )
    machine_options(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
