"""`python -m local up`: the local cloud, from nothing to ready, and back to nothing.

The order is: lock, servers, image, stack, ticker, and last `.local/env`, which says that all is
ready. Whatever ends it, in whatever step, the servers end, and with them every process of theirs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from aws_parallelizer.aws import clients
from aws_parallelizer.core.errors import ParallelizerError
from local import children, containers, disks, env_file, lock, ports, processes
from local.children import Child, ChildFailed, Watch
from local.default_image import image_to_boot, register_image
from local.settings import (
    STACK,
    STACK_PARAMETERS,
    Machines,
    Place,
    aws,
    environment,
)
from local.ticker import Ticker

Say = Callable[[str], None]


class Deploy(Protocol):
    """deploy.stack.deploy."""

    def __call__(
        self, stack: str, *, parameters: Mapping[str, str], say: Say
    ) -> Mapping[str, str]: ...


class Stop(BaseException):
    """SIGINT or SIGTERM. No `except Exception` on the way may hold it up."""


def up(place: Place, *, deploy: Deploy, say: Say) -> int:
    """Run until a signal; the exit code."""
    if strange := _strange_folder(place):
        say(f"{strange} is no local cloud's, and would be removed: name another --directory")
        return 1
    place.directory.mkdir(parents=True, exist_ok=True)
    try:
        with lock.held(place.directory / lock.NAME), _signals():
            return _locked(place, deploy=deploy, say=say)
    except lock.AlreadyRunning as error:
        say(f"a local cloud runs already in {place.directory}, as process {error}")
        return 1


def _locked(place: Place, *, deploy: Deploy, say: Say) -> int:
    watch = Watch()
    ready = False
    with contextlib.ExitStack() as ends:
        ends.callback(sweep, place)
        ends.callback(place.env.unlink, missing_ok=True)
        ends.callback(watch.stop)
        try:
            _start(place, deploy=deploy, say=say, ends=ends, watch=watch)
            ready = True
            threading.Event().wait()
        except Stop:
            if watch.dead is not None:
                say(str(children.failure(watch.dead)))
                return 1
            say("ending")
        except (ChildFailed, ParallelizerError) as error:
            say(str(error if watch.dead is None else children.failure(watch.dead)))
            return 1
        finally:
            _ignore_signals()
    return 0 if ready else 1


def _start(
    place: Place, *, deploy: Deploy, say: Say, ends: contextlib.ExitStack, watch: Watch
) -> None:
    _clean(place)
    image = image_to_boot(place.machines)
    here = environment(place, os.environ)
    os.environ.clear()
    os.environ.update(here)
    ministack, ec2 = _servers(place, ends=ends, watch=watch)
    children.await_answer(ec2, f"{place.ec2_endpoint}/_local/ready")
    say(f"EC2 answers at {place.ec2_endpoint}")
    children.await_answer(ministack, f"{place.endpoint}/_ministack/ready")
    say(f"ministack answers at {place.endpoint}")
    register_image(clients.client("ec2"), clients.client("ssm"), image=image)
    outputs = deploy(STACK, parameters=STACK_PARAMETERS, say=say)
    ticker = Ticker(
        clients.client("lambda", attempts=1), function=outputs["ReconcileFunction"], say=say
    )
    ends.callback(ticker.stop)
    env_file.write(place.env, exports(place, outputs))
    say(f"ready. In another terminal: source {os.path.relpath(place.env)}")
    say("Ctrl-C ends it.")


def _servers(place: Place, *, ends: contextlib.ExitStack, watch: Watch) -> tuple[Child, Child]:
    """Both at once; each is to be ended and watched as soon as it runs."""
    started = []
    for name, command, extra in (
        ("ministack", [sys.executable, "-m", "ministack"], ministack_settings(place)),
        ("ec2", ec2_command(place), {}),
    ):
        child = children.start(
            name,
            command,
            environment={**environment(place, _inherited(name)), **extra},
            log_to=place.directory / f"{name}.log",
        )
        ends.callback(children.end, child)
        watch.add(child)
        started.append(child)
    return started[0], started[1]


def _inherited(name: str) -> dict[str, str]:
    """The functions must find their own package, not this checkout."""
    hidden = {"PYTHONPATH"} if name == "ministack" else set()
    return {key: value for key, value in os.environ.items() if key not in hidden}


def ministack_settings(place: Place) -> dict[str, str]:
    """Loopback only, no listeners but one, no containers of the developer's, all files here."""
    return {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(place.port),
        "TMPDIR": str(place.temporary),
        "S3_DATA_DIR": str(place.temporary / "s3"),
        "STATE_DIR": str(place.temporary / "state"),
        "LAMBDA_EXECUTOR": "local",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": f"unix://{place.temporary}/no-docker",
    }


def ec2_command(place: Place) -> list[str]:
    machines = place.machines
    here = ["--port", str(place.ec2_port), "--directory", str(place.directory)]
    here += ["--body", machines.body, "--ssh-port", str(machines.ssh_port)]
    here += [f"--release={release}" for release in machines.releases]
    here += [f"--images={machines.images}"] if machines.images else []
    return [sys.executable, "-m", "local.ec2", *here]


def exports(place: Place, outputs: Mapping[str, str]) -> dict[str, str]:
    """What `.local/env` says."""
    return {
        **aws(place),
        "PARALLELIZER_API": f"{place.endpoint}/restapis/{outputs['RestAPIId']}/api/_user_request_",
        "PARALLELIZER_INPUT_BUCKET": outputs["InputBucket"],
        "PARALLELIZER_OUTPUT_BUCKET": outputs["OutputBucket"],
        "PARALLELIZER_ENVIRONMENT_BUCKET": outputs["EnvironmentBucket"],
    }


def sweep(place: Place) -> None:
    """End what works on a machine's disk though its machine is gone, and delete the disk."""
    containers.sweep(place.instances)
    for scratch in place.instances.glob("*/scratch"):
        processes.kill(None, folder=scratch)
        disks.wipe(scratch)


def _clean(place: Place) -> None:
    """State does not outlive a local cloud."""
    place.env.unlink(missing_ok=True)
    sweep(place)
    for folder in _folders(place):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)


def _folders(place: Place) -> tuple[Path, Path]:
    return place.instances, place.temporary


def _strange_folder(place: Place) -> Path | None:
    """One that is not ours to empty, for where a local cloud was there is its lock."""
    if (place.directory / lock.NAME).exists():
        return None
    return next((folder for folder in _folders(place) if folder.exists()), None)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Stop

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """From here on it ends, and a second Ctrl-C must not leave half of it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def place_in(
    directory: Path,
    *,
    port: int | None,
    ec2_port: int | None,
    machines: Machines | None = None,
) -> Place:
    """The folder, with free ports where none are given."""
    free, ec2_free = ports.free(2)
    return Place(
        directory=directory.resolve(),
        port=port or free,
        ec2_port=ec2_port or ec2_free,
        machines=machines or Machines(),
    )
