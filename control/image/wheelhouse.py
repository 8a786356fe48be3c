"""The worker and all that it imports as wheels, so that the builder needs no package index.

The wheels are those for the image's Python and architecture, whatever machine this is. Their hashes
go with them: the builder installs what was fetched here, or nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from image.saying import REPOSITORY, ImageFailed
from image.targets import Target

REQUIREMENTS = "requirements.txt"
OWN = "aws-parallelizer"

# Zip files know no year before 1980. One date for all that a wheel holds makes it the same bytes
# each time.
_EPOCH = "315532800"


@dataclass(frozen=True, kw_only=True, order=True)
class Wheel:
    """One wheel; `name` as pip normalises it, `sha256` in hex."""

    name: str
    version: str
    file: str
    sha256: str


def build(release: str, arch: str, to: Path) -> tuple[Wheel, ...]:
    """Make the folder `to` anew: the wheels for that Debian, and `requirements.txt` with their
    hashes, for `pip install --no-index --find-links <to> --require-hashes -r <its file>`. What was
    there stays until all is fetched. Raises ImageFailed.
    """
    target = Target(release=release, arch=arch)
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{to.name}-", dir=to.parent) as folder:
        new = Path(folder) / "new"
        new.mkdir(mode=0o755)
        _build_own(new)
        _fetch(target, new)
        wheels = tuple(sorted(map(read, new.glob("*.whl"))))
        (new / REQUIREMENTS).write_text(requirements(wheels))
        shutil.rmtree(to, ignore_errors=True)
        new.rename(to)
    return wheels


def read(path: Path) -> Wheel:
    """What a wheel's name and bytes say of it."""
    name, version, *_ = path.name.split("-")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(
        name=name.lower().replace("_", "-"), version=version, file=path.name, sha256=digest
    )


def requirements(wheels: tuple[Wheel, ...]) -> str:
    """The file that pip checks the wheels by."""
    return "".join(f"{each.name}=={each.version} --hash=sha256:{each.sha256}\n" for each in wheels)


def _build_own(to: Path) -> None:
    _pip("wheel", "--no-deps", "--wheel-dir", str(to), str(REPOSITORY), what="build our own wheel")


def _fetch(target: Target, to: Path) -> None:
    [own] = to.glob("*.whl")
    tags = [f"--platform={platform}" for platform in target.wheel_platforms]
    tags += [f"--abi={abi}" for abi in (f"cp{target.python.replace('.', '')}", "abi3", "none")]
    _pip(
        "download",
        "--only-binary=:all:",
        f"--python-version={target.python}",
        "--implementation=cp",
        *tags,
        f"--dest={to}",
        str(own),
        what=f"fetch the wheels for {target.name}",
    )


def _pip(*arguments: str, what: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments],
        env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        told = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")]
        raise ImageFailed(f"pip could not {what}:\n" + "\n".join(told or [ended.stderr.strip()]))
