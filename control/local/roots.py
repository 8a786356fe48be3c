"""Base roots: what a Debian image holds before anything of ours is in it, made once a week.

A root is a directory tree with kernel, systemd, cloud-init, sshd and Python, as on Debian's own
images for EC2, kept in the user's cache folder. It is never written to: who needs a root to write
in lays an overlay over it (overlays.py).
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aws_parallelizer.core.errors import ParallelizerError

log = logging.getLogger(__name__)

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # the kernel's names, Debian's names
RELEASES = {"12": "bookworm", "13": "trixie"}

COMMON = (
    "ca-certificates", "cloud-init", "dbus", "e2fsprogs", "iproute2", "kmod", "openssh-server",
    "procps", "python3", "sudo", "systemd-sysv", "systemd-timesyncd", "udev",
)  # fmt: skip
# What brings the network up differs by release, as on Debian's images.
NETWORK = {
    "12": ("ifupdown", "isc-dhcp-client"),
    "13": ("dhcpcd-base", "libnss-resolve", "netplan.io", "systemd-resolved"),
}

FILES = {
    "etc/cloud/cloud.cfg.d/99-ec2.cfg": """\
datasource_list: [ Ec2, None ]
system_info:
  default_user:
    name: admin
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
""",
    "etc/fstab": "LABEL=root / ext4 defaults 0 1\n",
    "etc/hostname": "debian\n",  # not the name of the computer on which the root was made
    "etc/machine-id": "",
}
# Here mmdebstrap leaves this computer's; the newer one has a link to what a running system makes.
FILES_OF = {"12": {"etc/resolv.conf": ""}}

KEPT = timedelta(days=21)  # a root that nobody asked for in so long gives way to a new one


class RootFailed(ParallelizerError):
    """A base root cannot be made here."""


def cache_folder() -> Path:
    """Where the product keeps what it can make again."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "aws-parallelizer"


def native_arch() -> str:
    """This machine's architecture in Debian's words."""
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)


def base(release: str, *, arch: str | None = None) -> Path:
    """The tree of that Debian release ("12" or "13"), made if this week's is not in the cache.

    Raises RootFailed. Whoever comes meanwhile waits for the one that makes it.
    """
    arch = arch or native_arch()
    folder = cache_folder() / "roots"
    root = folder / name_of(release, arch, today=datetime.now(UTC))
    folder.mkdir(parents=True, exist_ok=True)
    if not root.is_dir():
        with _alone(folder / "lock"):
            if not root.is_dir():
                _make(root, release, arch)
                _tidy(folder, keep=root)
    os.utime(root)
    return root


def name_of(release: str, arch: str, *, today: datetime) -> str:
    """A root's name: another list of packages, other files or another week is another root."""
    if release not in RELEASES:
        raise RootFailed(f"Debian release '{release}': allowed are {', '.join(sorted(RELEASES))}")
    recipe = repr((packages(release, arch), sorted(files(release).items())))
    year, week, _ = today.isocalendar()
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:8]
    return f"debian-{release}-{arch}-{year}w{week:02}-{digest}"


def packages(release: str, arch: str) -> Sequence[str]:
    """What is installed, besides what these need."""
    return sorted((*COMMON, *NETWORK[release], f"linux-image-cloud-{arch}"))


def files(release: str) -> Mapping[str, str]:
    """What is written into the root, by paths."""
    return {**FILES, **FILES_OF.get(release, {})}


def _make(root: Path, release: str, arch: str) -> None:
    """Under another name first, so that half a root is never taken for one."""
    _check_tools()
    log.info("making the base root %s; this takes a minute or two", root.name)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=root.parent) as new:
        made = Path(new) / "root"
        _run_mmdebstrap(made, release, arch)
        for name, text in files(release).items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_text(text)
        for key in made.glob("etc/ssh/ssh_host_*"):
            key.unlink()
        made.rename(root)


def _check_tools() -> None:
    if os.geteuid() != 0:
        raise RootFailed("only root can make a base root")
    if shutil.which("mmdebstrap") is None:
        raise RootFailed("mmdebstrap is missing: apt-get install mmdebstrap")


def _run_mmdebstrap(target: Path, release: str, arch: str) -> None:
    command = [
        "mmdebstrap", "--quiet", "--variant=minbase", "--format=directory", f"--arch={arch}",
        f"--include={','.join(packages(release, arch))}",
        RELEASES[release], str(target), *sources(RELEASES[release], _mirrors()),
    ]  # fmt: skip
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        tail = "\n".join(done.stderr.splitlines()[-15:])
        raise RootFailed(f"mmdebstrap ended with {done.returncode}:\n{tail}")


def sources(codename: str, mirrors: Sequence[str]) -> list[str]:
    """The lines of sources.list, from the mirrors of Debian and of its security updates; none =
    mmdebstrap's own choice.
    """
    if not mirrors:
        return []
    main, security = mirrors
    return [
        f"deb {main} {codename} main",
        f"deb {main} {codename}-updates main",
        f"deb {security} {codename}-security main",
    ]


def _mirrors() -> list[str]:
    """Debian's mirrors as this machine's apt has them, or none if it does not say."""
    found = []
    for label in ("Debian", "Debian-Security"):
        command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
        command += ["Created-By: Packages", "Origin: Debian", f"Label: {label}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found += done.stdout.split()[:1]
    return found if len(found) == 2 else []


def _tidy(folder: Path, *, keep: Path) -> None:
    """Delete what was not asked for in weeks, and what a killed maker left."""
    oldest = (datetime.now(UTC) - KEPT).timestamp()
    for other in folder.iterdir():
        abandoned = other.name.startswith(".new-")
        unused = other.name.startswith("debian-") and other.stat().st_mtime < oldest
        if other != keep and (abandoned or unused):
            shutil.rmtree(other)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
