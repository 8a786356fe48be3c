"""What the rehearsal of the image needs of the machine it runs on, and what of it is missing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

# Each command and the Debian package that has it. Ansible comes by pip.
PACKER = {"packer": "packer"}
MACHINES = {
    **PACKER,
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "mke2fs": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "socat": "socat",
}

# Set where a missing tool is a failure and not a reason to skip.
REQUIRED = "REHEARSAL_REQUIRED"


def required() -> bool:
    """Whether the rehearsal must run here."""
    return os.environ.get(REQUIRED, "") not in ("", "0")


def missing_tools(wanted: dict[str, str]) -> str:
    """What to install; empty where nothing is missing."""
    packages = sorted({package for tool, package in wanted.items() if not _found(tool)})
    return f"apt-get install --no-install-recommends {' '.join(packages)}" if packages else ""


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


def _found(tool: str) -> bool:
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None
