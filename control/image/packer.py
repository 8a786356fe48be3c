"""Packer, which is no part of this project: found, asked its version, run to its end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from deploy.commands import Interrupted, Say
from image import legacy, signals
from image.saying import REPOSITORY, ImageFailed

# `packer init` is there from 1.7 on; below 1.14 it looks for the plugins where they no longer are.
_INIT_SINCE = (1, 7)
_PLUGINS_SINCE = (1, 14)
_INSTALL = (
    "install Packer 1.14 or newer, https://developer.hashicorp.com/packer/install, and see that it "
    "is on the PATH"
)
_BIN = Path(sys.executable).parent  # ansible-playbook is installed beside this Python


@dataclass(frozen=True, kw_only=True)
class Packer:
    """A Packer that is there; `version` as numbers."""

    program: str
    version: tuple[int, int]

    @property
    def old(self) -> bool:
        """Whether it has its plugins in it, and takes the template's older view alone."""
        return self.version < _INIT_SINCE

    def template(self, folder: Path) -> Path:
        """The template's folder, for an old Packer as a view of it in `folder`."""
        return legacy.view(folder) if self.old else REPOSITORY / "packer"

    def prepare(self, template: Path) -> None:
        """Fetch the plugins, where it does not have them in it; raises ImageFailed."""
        if self.old:
            return
        ended = self._quietly("init", str(template))
        if ended.returncode:
            raise ImageFailed(
                f"packer could not fetch its plugins: {_first_line(ended)}. Behind a proxy set "
                "HTTPS_PROXY; PACKER_GITHUB_API_TOKEN lifts GitHub's limit"
            )

    def validate(self, template: Path, variables: Sequence[str]) -> None:
        """Raises ImageFailed with what Packer says."""
        ended = self._quietly("validate", *variables, str(template))
        if ended.returncode:
            raise ImageFailed(f"packer validate: {(ended.stdout + ended.stderr).strip()}")

    def build(self, template: Path, variables: Sequence[str], *, say: Say) -> bool:
        """Build to the end, in sight of whoever waits; whether it was to be stopped and had ended
        all the same. Raises ImageFailed and Interrupted, after which Packer has removed what it had
        made.
        """
        color = "-color=true" if sys.stdout.isatty() else "-color=false"
        command = [self.program, "build", color, "-timestamp-ui", *variables, str(template)]
        stop = _Stop(say)
        # In a session of its own, so that Ctrl-C reaches it through us alone.
        with (
            signals.handled(stop),
            subprocess.Popen(command, env=environment(), start_new_session=True) as process,
        ):
            stop.reach(process)
            code = process.wait()
        if stop.asked and (code > 0 or code == -signal.SIGINT):
            raise Interrupted("interrupted; Packer has ended what it had started")
        if code:
            raise ImageFailed(_failure(code))
        return stop.asked

    def _quietly(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )


def find() -> Packer:
    """The Packer of the PATH; raises ImageFailed that says how to get one."""
    program = shutil.which("packer", path=environment()["PATH"])
    if program is None:
        raise ImageFailed(f"there is no packer: {_INSTALL}")
    if shutil.which("ansible-playbook", path=environment()["PATH"]) is None:
        raise ImageFailed("there is no ansible-playbook: run make venv, or pip install '.[image]'")
    told = subprocess.run([program, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v(\d+)\.(\d+)", told)
    if found is None:  # cracklib has a program of this name too
        raise ImageFailed(f"{program} is not HashiCorp's Packer: {_INSTALL}")
    version = int(found[1]), int(found[2])
    if _INIT_SINCE <= version < _PLUGINS_SINCE:
        raise ImageFailed(
            f"{program} is {found[0]}, which cannot fetch today's plugins: {_INSTALL}"
        )
    return Packer(program=program, version=version)


def variables(given: Mapping[str, str], *, file: Path | None = None) -> list[str]:
    """As Packer's arguments; what is `given` goes before what stands in the file."""
    filed = [] if file is None else [f"-var-file={file}"]
    return filed + [word for name, value in given.items() for word in ("-var", f"{name}={value}")]


def environment() -> dict[str, str]:
    """What Packer runs with: this Python's programs go first, and nobody is told of its use."""
    path = os.pathsep.join([str(_BIN), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "CHECKPOINT_DISABLE": "1"}


def _first_line(ended: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (ended.stderr + ended.stdout).splitlines() if line.strip()]
    return lines[0].removeprefix("Error: ") if lines else f"it ended with {ended.returncode}"


class _Stop:
    """Ctrl-C and its like: handed to Packer once, for at a second one it stops cleaning up."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._sent = False
        self.asked = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        if self.asked:
            self._say("Packer is still ending what it has started; that takes a minute or two")
            return
        self.asked = True
        self._say("interrupted: Packer ends its builder, key pair and security group; wait for it")
        self._send()

    def reach(self, process: subprocess.Popen[bytes]) -> None:
        """Whom to tell, also of what came before it had started."""
        self._process = process
        self._send()

    def _send(self) -> None:
        if self.asked and self._process is not None and not self._sent:
            self._sent = True
            self._process.send_signal(signal.SIGINT)


def _failure(code: int) -> str:
    if code < 0:
        return (
            f"packer was killed by {signal.Signals(-code).name} and could not clean up: look for "
            "an instance with the tag parallelizer:image = builder, which terminates itself an "
            "hour after its start, and a key pair and a security group whose names begin with "
            "packer_"
        )
    return (
        f"packer build ended with {code}; what it says above is why. It has removed its "
        "builder, key pair and security group; run it again when the cause is gone"
    )
