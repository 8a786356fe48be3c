"""A root that systemd-nspawn has booted: its own systemd and processes, this computer's kernel.

Everything that it needs of this computer is in namespaces that end with it: there is no mount and
no interface to clean up, whoever is killed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import overlays, processes
from local.body import Ending

log = logging.getLogger(__name__)

START_SECONDS = 10.0  # nspawn killed before it has an init might leave one behind
LOOK_SECONDS = 0.05  # between two looks at /proc, which tells nobody of an init
MOUNT_AND_RUN = Path(__file__).with_name("mount_and_run.py")


# The root is mounted already, and not from a disk of its own as fstab says.
ALWAYS = ("systemd.mask=systemd-remount-fs.service",)
# It cannot find out that a container is a machine of EC2, but may ask this computer's metadata
# service.
NO_CLOUD_INIT = ("cloud-init=disabled",)


class Container:
    """Booted when it is made, over the layers, topmost first. Raises OSError.

    `folder` keeps what it writes (upper/). `arguments` are kernel arguments, which its systemd
    takes too; `cloud_init` are those for cloud-init, without which it does nothing. `network` is
    the path of a network namespace; None = this computer's. `binds` are files or folders of this
    computer to be seen, read-only, at paths inside.
    """

    def __init__(
        self,
        layers: Sequence[Path],
        folder: Path,
        *,
        name: str,
        console: Path,
        network: Path | None = None,
        binds: Mapping[Path, str] | None = None,
        arguments: Sequence[str] = (),
        cloud_init: Sequence[str] = NO_CLOUD_INIT,
    ) -> None:
        self._asked = False
        root, options = overlays.prepare(layers, folder)
        command = [sys.executable, "-I", "-S", str(MOUNT_AND_RUN), options, str(root)]
        command += _nspawn(root, name, network)
        command += [f"--bind-ro={here}:{inside}" for here, inside in (binds or {}).items()]
        command += [*ALWAYS, *cloud_init, *arguments]
        with console.open("ab") as output:
            self._process = subprocess.Popen(
                processes.tethered(command, parting=signal.SIGTERM),
                cwd=folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """systemd-nspawn's process."""
        return self._process.pid

    def ending(self) -> Ending | None:
        """How it ended, None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        return Ending.LOST if code else Ending.POWERED_OFF

    def shut_down(self) -> None:
        """Ask its systemd to power off, once: nspawn takes a second time for a kill."""
        if not self._asked and self.ending() is None:
            self._asked = True
            self._process.terminate()

    def kill(self) -> None:
        """End all of it now: its init takes every process in it along, and nspawn ends after it."""
        deadline = time.monotonic() + START_SECONDS
        while self.ending() is None:
            init = init_of(self.pid)
            if init is not None:
                processes.send(init, signal.SIGKILL)
            elif time.monotonic() > deadline:
                self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # it was just about to begin
                self._process.wait(LOOK_SECONDS)


def _nspawn(root: Path, name: str, network: Path | None) -> list[str]:
    command = [
        "systemd-nspawn", "--quiet", f"--directory={root}", "--boot", f"--machine={name}",
        "--register=no", "--keep-unit",  # there may be no systemd outside
        "--settings=no", "--link-journal=no", "--timezone=off", "--console=read-only",
    ]  # fmt: skip
    if network is None:
        return [*command, "--resolv-conf=bind-host"]
    own = ["--resolv-conf=off", f"--network-namespace-path={network}"]
    return [*command, *own, "--capability=CAP_NET_ADMIN"]  # to filter packets in what is its own


def init_of(nspawn: int) -> int | None:
    """The process that is the first one in the container, if there is one yet."""
    for pid in _children(nspawn):
        if _number_inside(pid) == 1:
            return pid
    return None


def sweep(folder: Path) -> None:
    """End the containers below the folder that outlived who started them."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            words = entry.read_bytes().split(b"\0")
            pid = int(entry.parent.name)
            if words[0] == b"systemd-nspawn" and any(_is_in(word, folder) for word in words):
                log.warning("ending container %s, which was left", pid)
                _end(pid)


def _end(nspawn: int) -> None:
    """As `Container.kill` does, for one that another process has started."""
    deadline = time.monotonic() + START_SECONDS
    while Path(f"/proc/{nspawn}").exists() and time.monotonic() < deadline:
        init = init_of(nspawn)
        if init is not None:
            processes.send(init, signal.SIGKILL)
        time.sleep(LOOK_SECONDS)


def _is_in(word: bytes, folder: Path) -> bool:
    return word.startswith(f"--directory={folder}/".encode())


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has ended


def _number_inside(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None  # it has ended
    inside = [line.split() for line in lines if line.startswith("NSpid:")]
    return int(inside[0][-1]) if inside and len(inside[0]) > 2 else None
