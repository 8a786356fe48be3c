"""What tests with real Debian machines need of this computer, and what they may leave: nothing.

Run as a script it says what the image's rehearsal lacks here; before anything is installed, so it
needs nothing but Python.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# Each command and the Debian package that has it. Ansible comes by pip.
PACKER = {"packer": "packer"}
CONTAINERS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "mke2fs": "e2fsprogs",
}
EMULATED = {
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "socat": "socat",
}
REHEARSAL = {**PACKER, **CONTAINERS, **EMULATED}

# Set where a missing tool is a failure of the rehearsal and not a reason to skip.
REQUIRED = "REHEARSAL_REQUIRED"
# Set where an image of Debian 12 is built and booted too.
ALSO_OLDER = "REHEARSAL_DEBIAN_12"


def asked(name: str) -> bool:
    """Whether a variable of the environment, such as these, is set."""
    return os.environ.get(name, "") not in ("", "0")


def missing(tools: Mapping[str, str] = CONTAINERS) -> str:
    """What lacks here to make machines with these tools; empty = nothing."""
    return missing_rights() or missing_tools(tools)


def missing_tools(tools: Mapping[str, str]) -> str:
    """What to install; empty where nothing is missing."""
    packages = sorted({package for tool, package in tools.items() if shutil.which(tool) is None})
    return f"apt-get install --no-install-recommends {' '.join(packages)}" if packages else ""


@functools.cache
def missing_rights() -> str:
    """Why machines cannot be made here; empty where they can."""
    if not Path("/etc/debian_version").exists():
        return "a Debian machine (its apt sources make the roots)"
    if platform.machine() != "x86_64":
        return "an x86_64 machine (the roots are made for it)"
    if os.geteuid() != 0:
        return "root (mounts, network namespaces, containers)"
    tried = subprocess.run(
        ["unshare", "--mount", "--net", "true"], capture_output=True, check=False
    )
    return "the right to mount and to make network namespaces" if tried.returncode else ""


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


def sentence(lacks: str) -> str:
    """What is missing, in a sentence for whoever wants the rehearsal."""
    return f"the image's rehearsal needs what is missing here: {lacks}"


if __name__ == "__main__" and (lacking := missing(REHEARSAL)):
    sys.exit(f"make: {sentence(lacking)}")
