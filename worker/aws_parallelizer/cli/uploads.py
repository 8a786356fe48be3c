"""Which files become which objects: directories keep their tree below the job's input prefix."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from aws_parallelizer.cli import transfer
from aws_parallelizer.cli.connection import Connection
from aws_parallelizer.core.errors import ParallelizerError

_MAX_KEY_BYTES = 1024


class Upload(NamedTuple):
    """One file and the key that it gets."""

    path: Path
    key: str
    size: int


def upload(
    connection: Connection, job: str, *, paths: Sequence[Path], console: Console
) -> list[Upload]:
    """Put the files under the job's input prefix; those files. Raises ParallelizerError.

    Nothing is sent if one of the names cannot be a key. Sending a file again is harmless: the same
    bytes are the same task.
    """
    parameters = connection.job(job)["parameters"]
    items = plan(paths, prefix=parameters["inputPrefix"])
    bucket, objects = parameters["inputBucket"], connection.objects()

    async def put(item: Upload) -> None:
        await objects.upload(item.path, bucket=bucket, key=item.key, replace=True)

    failed = transfer.run(items, put, label="uploading", console=console)
    if failed:
        lines = "\n  ".join(failed)
        raise ParallelizerError(
            f"{len(failed)} of {len(items)} files were not uploaded; run it again:\n  {lines}"
        )
    return items


def plan(paths: Sequence[Path], *, prefix: str) -> list[Upload]:
    """All files with their keys; raises ParallelizerError that names each that cannot be one."""
    refused: list[str] = []
    found: dict[str, Upload] = {}
    for path, name in _files(paths, refused):
        key = prefix + name
        problem = _problem(key, path, found)
        if problem:
            refused.append(problem)
        else:
            found[key] = Upload(path, key, path.stat().st_size)
    if refused:
        raise ParallelizerError("Nothing was uploaded:\n  " + "\n  ".join(refused))
    return list(found.values())


def _files(paths: Sequence[Path], refused: list[str]) -> Iterator[tuple[Path, str]]:
    for given in paths:
        if given.is_dir():
            for path in _below(given, refused):
                yield path, path.relative_to(given).as_posix()
        elif given.is_file():
            yield given, given.name
        else:
            refused.append(f"{_printed(given)} is no file or directory")


def _below(folder: Path, refused: list[str]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        refused.append(f"{error.filename}: {error.strerror}")

    for parent, folders, names in os.walk(folder, onerror=unreadable):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            try:
                mode = path.stat().st_mode
            except OSError as error:
                refused.append(f"{_printed(path)}: {error.strerror}")
                continue
            if stat.S_ISREG(mode):  # a socket or a pipe has no content of its own
                yield path


def _problem(key: str, path: Path, found: dict[str, Upload]) -> str:
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        return f"{_printed(path)}: its name is not UTF-8, so no S3 key can hold it"
    if length > _MAX_KEY_BYTES:
        return f"{_printed(path)}: its key has {length} bytes; S3 takes {_MAX_KEY_BYTES}"
    if key in found and found[key].path.resolve() != path.resolve():
        return f"{_printed(path)} and {_printed(found[key].path)} would both be {key}"
    return ""


def _printed(path: Path) -> str:
    return transfer.shown(os.fsencode(path).decode(errors="backslashreplace"))
