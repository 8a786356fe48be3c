"""A wheelhouse of another release of the worker, to upgrade from."""

from __future__ import annotations

import base64
import hashlib
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from image import wheelhouse

PROJECT = "aws_parallelizer"
ONLY_THEN = "forgotten.py"  # a module that the worker has no more

# The worker's wheelhouse for a Debian release.
Wheels = Callable[[str], Path]


def as_version(wheels_of_now: Path, version: str, *, to: Path) -> Path:
    """A copy in which the worker says that it is `version`, and has a module that is gone now."""
    shutil.copytree(wheels_of_now, to)
    [wheel] = to.glob(f"{PROJECT}-*.whl")
    before = wheel.name.split("-")[1]
    _rewrite(wheel, before, version)
    wheel.unlink()
    written = sorted(map(wheelhouse.read, to.glob("*.whl")))
    (to / wheelhouse.REQUIREMENTS).write_text(wheelhouse.requirements(tuple(written)))
    return to


def _rewrite(wheel: Path, before: str, version: str) -> None:
    info, other_info = f"{PROJECT}-{before}.dist-info", f"{PROJECT}-{version}.dist-info"
    target = wheel.with_name(wheel.name.replace(f"-{before}-", f"-{version}-"))
    with zipfile.ZipFile(wheel) as old:
        files = {name.replace(info, other_info): old.read(name) for name in old.namelist()}
    files[f"{PROJECT}/{ONLY_THEN}"] = b""
    module = f"{PROJECT}/__init__.py"
    files[module] = files[module].replace(f'"{before}"'.encode(), f'"{version}"'.encode())
    metadata = files[f"{other_info}/METADATA"]
    files[f"{other_info}/METADATA"] = metadata.replace(
        f"\nVersion: {before}\n".encode(), f"\nVersion: {version}\n".encode()
    )
    del files[f"{other_info}/RECORD"]
    with zipfile.ZipFile(target, "w") as new:
        for name, content in files.items():
            new.writestr(name, content)
        new.writestr(f"{other_info}/RECORD", _record(files, other_info))


def _record(files: dict[str, bytes], info: str) -> str:
    lines = [f"{name},{_digest(content)},{len(content)}" for name, content in files.items()]
    return "\n".join([*lines, f"{info}/RECORD,,", ""])


def _digest(content: bytes) -> str:
    raw = hashlib.sha256(content).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
