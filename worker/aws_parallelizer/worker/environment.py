"""The environment: the zip with the analysis program and all that it needs, unpacked once, read-
only from then on.
"""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from aws_parallelizer.core.errors import EnvironmentRefused

_READ_ONLY = 0o555
_EXECUTABLE = 0o111
_LINK_BYTES = 4096
_COPY_BYTES = 1024 * 1024
# What zipfile raises for an archive that it cannot read: NotImplementedError for a compression that
# it does not know, RuntimeError for an encrypted member.
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    ValueError,
    RuntimeError,
)


class Environment(NamedTuple):
    """The unpacked folder that holds the program, its top-level names, and which version it is."""

    folder: Path
    names: frozenset[str]
    program: str
    version: str


def unpack(archive: Path, *, into: Path, prefix: str, program: str, version: str) -> Environment:
    """Unpack a zip. Raises EnvironmentRefused with what is wrong."""
    into.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            _unpack_all(opened, into)
    except BROKEN as error:
        raise EnvironmentRefused(f"the environment zip is broken: {error}") from error
    except OSError as error:
        raise EnvironmentRefused(f"the environment zip cannot be unpacked: {error}") from error
    folder = into / prefix
    if not folder.is_dir():
        raise EnvironmentRefused(f"environmentPrefix {prefix!r} is no folder of the zip")
    path = folder / program
    if not path.is_file():
        raise EnvironmentRefused(
            f"analysisProgram {program!r} is no file of the zip's folder {prefix!r}"
        )
    path.chmod(path.stat().st_mode | _EXECUTABLE)
    _make_read_only(into)
    return Environment(folder, frozenset(path.name for path in folder.iterdir()), program, version)


def remove(folder: Path) -> None:
    """Delete an unpacked environment, read-only as it is."""
    for directory, _, _ in os.walk(folder):
        Path(directory).chmod(stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=False)


def _unpack_all(opened: zipfile.ZipFile, into: Path) -> None:
    links = []
    for member in opened.infolist():
        check_member(member)
        target = into / member.filename
        if stat.S_ISLNK(member.external_attr >> 16):
            links.append((target, _link_target(opened, member)))
        elif member.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            _write(opened, member, target)
    # After all files: nothing of the zip is ever written through a link of the zip.
    for target, points_to in links:
        _require_inside(target.parent, into)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(points_to)
    for target, _ in links:
        _require_inside(target, into)


def _require_inside(path: Path, root: Path) -> None:
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        raise EnvironmentRefused(
            f"{path.relative_to(root)} in the environment zip is a link that leads outside"
        )


def check_member(member: zipfile.ZipInfo) -> None:
    """Raise EnvironmentRefused for a member that is never unpacked."""
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise EnvironmentRefused(
            f"{member.filename!r:.200} in the environment zip would lie outside its folder"
        )
    if member.flag_bits & 0x1:
        raise EnvironmentRefused(f"{member.filename!r:.200} in the environment zip is encrypted")


def _link_target(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    if member.file_size > _LINK_BYTES:
        raise EnvironmentRefused(f"{member.filename!r:.200} is a link of {member.file_size} bytes")
    return os.fsdecode(opened.read(member))


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, _COPY_BYTES)
    mode = member.external_attr >> 16
    target.chmod(0o644 | (mode & _EXECUTABLE))


def _make_read_only(root: Path) -> None:
    for path in _tree(root):
        if path.is_dir() and not path.is_symlink():
            path.chmod(_READ_ONLY)
        elif not path.is_symlink():
            path.chmod(path.stat().st_mode & _READ_ONLY | 0o444)


def _tree(root: Path) -> Iterator[Path]:
    for directory, _, files in os.walk(root, topdown=False):
        yield from (Path(directory, name) for name in files)
        yield Path(directory)
