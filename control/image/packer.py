"""Packer, which is no part of this project: found, asked its version, run to its end."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from image import legacy
from image.saying import REPOSITORY, ImageFailed, Interrupted, Say

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

    def build(self, template: Path, variables: Sequence[str], *, say: Say) -> None:
        """Build to the end, in sight of whoever waits; raises ImageFailed and Interrupted, after
        which Packer has removed what it had made.
        """
        color = "-color=true" if sys.stdout.isatty() else "-color=false"
        command = [self.program, "build", color, "-timestamp-ui", *variables, str(template)]
        # In a session of its own, so that Ctrl-C reaches it once and through us: at a second one
        # it would stop cleaning up.
        with subprocess.Popen(command, env=environment(), start_new_session=True) as process:
            code, asked = _wait(process, say)
        if asked:
            raise Interrupted("interrupted; Packer has ended what it had started")
        if code:
            raise ImageFailed(
                f"packer build ended with {code}; what it says above is why. It has removed its "
                "builder, key pair and security group; run it again when the cause is gone"
            )

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


def _wait(process: subprocess.Popen[bytes], say: Say) -> tuple[int, bool]:
    """Its exit code, and whether it was asked to stop."""
    asked = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            say("Packer is still ending what it has started; that takes a minute or two")
            return
        asked = True
        say("interrupted: Packer ends its builder, key pair and security group; wait for it")
        process.send_signal(signal.SIGINT)

    with _handled(stop, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        code = process.wait()
    return code, asked


@contextlib.contextmanager
def _handled(
    handler: Callable[[int, FrameType | None], None], *numbers: signal.Signals
) -> Iterator[None]:
    before = [(number, signal.signal(number, handler)) for number in numbers]
    try:
        yield
    finally:
        for number, previous in before:
            signal.signal(number, previous)
