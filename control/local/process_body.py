"""The worker as a process in a session of its own.

To the worker it looks like EC2: its user data, identity and credentials come from a metadata
endpoint, and to power the machine off it runs a command.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from local import disks, processes
from local.body import Ending, end_of
from local.imds import Imds
from local.metadata import Credentials, Identity, Notice

log = logging.getLogger(__name__)

# How the worker differs from one on EC2, whatever its body is.
MACHINE_SETTINGS = {
    "PARALLELIZER_NOTICE_SECONDS": "1",  # notices here may be as short as one likes
    "PARALLELIZER_SETTLE_SECONDS": "0.1",
    "PARALLELIZER_BEAT_SECONDS": "2",  # and people do not wait a minute to see a sign
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What all process bodies have in common."""

    directory: Path
    command: Sequence[str]
    endpoint: str
    ec2_endpoint: str
    credentials: Credentials


class ProcessBody:
    """The worker as a process. Starting the same instance again finds its scratch folder."""

    volume = None

    def __init__(self, identity: Identity, *, surroundings: Surroundings) -> None:
        self._directory = surroundings.directory / "instances" / identity.instance
        disks.make(self._scratch)
        self._poweroff.unlink(missing_ok=True)
        if identity.user_data is not None:
            (self._directory / "user-data").write_bytes(identity.user_data)
        self._off = False
        self._imds = Imds(identity, credentials=surroundings.credentials)
        try:
            self._process = self._start(surroundings)
        except OSError:
            self._imds.close()
            raise
        log.info("%s runs as process %s", identity.instance, self._process.pid)

    @property
    def _scratch(self) -> Path:
        return self._directory / "scratch"

    @property
    def _poweroff(self) -> Path:
        return self._directory / "poweroff"

    def ending(self) -> Ending | None:
        code = self._process.poll()
        if code is None:
            return None
        self.cut_power()
        if self._poweroff.exists():
            return Ending.POWERED_OFF
        # A worker that ended well without powering off has left its machine running, as it may on
        # EC2 (`shouldShutdown=false`). Killed or crashed, it is lost and the machine with it.
        return Ending.LOST if code else None

    def console(self) -> bytes:
        return end_of(self._directory / "log")

    def announce(self, notice: Notice) -> None:
        self._imds.notice = notice

    def advise(self, at: datetime) -> None:
        self._imds.advised = at

    def press_power_button(self) -> None:
        if self._off:
            return
        for pid in processes.members(self._process.pid):
            processes.send(pid, signal.SIGTERM)

    def cut_power(self) -> None:
        if self._off:  # its process id may be another's by now
            return
        processes.kill(self._process.pid, folder=self._scratch)
        self._process.wait()
        self._off = True

    def release(self) -> None:
        if self._imds.fileno() != -1:
            self._imds.close()

    def wipe(self) -> None:
        disks.wipe(self._scratch)

    def _start(self, surroundings: Surroundings) -> subprocess.Popen[bytes]:
        with (self._directory / "log").open("ab") as log_file:
            process = subprocess.Popen(
                processes.tethered(list(surroundings.command), parting=signal.SIGKILL),
                cwd=self._scratch,
                env=self._environment(surroundings),
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        new = self._directory / "pid.new"
        new.write_text(f"{process.pid}\n")
        new.replace(self._directory / "pid")
        return process

    def _environment(self, surroundings: Surroundings) -> dict[str, str]:
        """Nothing of the developer's: no keys, no profile, no home folder with settings in it."""
        touch = shutil.which("touch") or "/usr/bin/touch"
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._directory),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "AWS_ENDPOINT_URL": surroundings.endpoint,
            "AWS_ENDPOINT_URL_EC2": surroundings.ec2_endpoint,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self._imds.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "PARALLELIZER_SCRATCH": str(self._scratch),
            "PARALLELIZER_POWEROFF": shlex.join([touch, str(self._poweroff)]),
            **MACHINE_SETTINGS,
        }
        if "PYTHONPATH" in os.environ:  # a checkout that is not installed finds its worker so
            paths = os.environ["PYTHONPATH"].split(os.pathsep)
            environment["PYTHONPATH"] = os.pathsep.join(str(Path(path).resolve()) for path in paths)
        return environment
