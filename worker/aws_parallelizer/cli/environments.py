"""The environment of a job: a folder becomes one zip, the same bytes whenever nothing changed."""

from __future__ import annotations

import hashlib
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from aws_parallelizer.core.errors import EnvironmentRefused

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can bear


class Environment(NamedTuple):
    """A zip file, the key that its content gives it, and the names of the files in it."""

    path: Path
    key: str
    names: frozenset[str]


@contextmanager
def packed(source: Path | None) -> Iterator[Environment | None]:
    """`pack` in a temporary folder; nothing of nothing."""
    with tempfile.TemporaryDirectory() as folder:
        yield pack(source, folder=Path(folder)) if source else None


def pack(source: Path, *, folder: Path) -> Environment:
    """The environment of a directory, zipped in `folder`, or of a zip file as it is.

    Raises EnvironmentRefused.
    """
    path = _zipped(source, folder / "environment.zip") if source.is_dir() else source
    try:
        with zipfile.ZipFile(path) as archive:
            names = frozenset(archive.namelist())
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except zipfile.BadZipFile as error:
        raise EnvironmentRefused(f"{source} is neither a directory nor a zip: {error}") from error
    except OSError as error:
        raise EnvironmentRefused(f"{source}: {error.strerror}") from error
    return Environment(path, f"environments/{digest[:32]}.zip", names)


def check_program(environment: Environment, *, prefix: str, program: str) -> None:
    """Raise EnvironmentRefused if the zip has no such program; else each worker would find out."""
    wanted = f"{prefix}/{program}" if prefix else program
    if wanted not in environment.names:
        known = ", ".join(sorted(environment.names)[:10]) or "nothing"
        raise EnvironmentRefused(f"The environment has no file {wanted}; it has: {known}")


def _zipped(source: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in _members(source):
            entry = zipfile.ZipInfo(member.relative_to(source).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.file_size = member.stat().st_size  # decides whether it needs a 64-bit entry
            executable = member.stat().st_mode & stat.S_IXUSR
            # One of two modes: what else a umask left must not change the bytes.
            entry.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
            with member.open("rb") as file, archive.open(entry, "w") as packed:
                shutil.copyfileobj(file, packed)
    return path


def _members(source: Path) -> Iterator[Path]:
    """Every file, in the order of names. A link to a file inside is packed as that file."""
    root = source.resolve()
    for path in sorted(source.rglob("*")):
        problem = _problem(path, root=root)
        if problem:
            raise EnvironmentRefused(problem)
        if path.is_file():
            yield path


def _problem(path: Path, *, root: Path) -> str:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return f"{path!r} has a name that is not UTF-8, so no zip holds it"
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        return f"{path} links to {path.resolve()}, outside the environment"
    if path.is_symlink() and path.is_dir():
        return f"{path} links to a directory; only links to files can be packed"
    if not path.is_file() and not path.is_dir():
        return f"{path} is neither a file nor a directory"
    return ""
