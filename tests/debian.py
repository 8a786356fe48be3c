"""What tests with real Debian machines need of this computer, and what they may leave: nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ssh": "openssh-client",
    "mke2fs": "e2fsprogs",
    "ip": "iproute2",
}


def missing(tools: dict[str, str] = TOOLS) -> str:
    """What lacks here, as a reason to skip; empty = nothing."""
    if os.geteuid() != 0:
        return "only root can boot machines"
    packages = [package for tool, package in tools.items() if shutil.which(tool) is None]
    return f"apt-get install {' '.join(packages)}" if packages else ""


needed = pytest.mark.skipif(bool(missing()), reason=missing())


def left_in(folder: Path) -> list[str]:
    """Mounts below the folder, and processes that were told of it."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    found = [mount for mount in mounts if mount.startswith(f"{folder}/")]
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while it was looked at
        if str(folder) in command and entry.parent.name != str(os.getpid()):
            found.append(command)
    return found
