"""Which objects become which files: a job's outputs, below a folder, and never outside it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from aws_parallelizer.aws.s3 import S3, Listed
from aws_parallelizer.cli import transfer
from aws_parallelizer.cli.connection import Connection
from aws_parallelizer.core import keys
from aws_parallelizer.core.errors import KeyRefused, ParallelizerError


class Download(NamedTuple):
    """One object and the file that it becomes. `modified` is in seconds since 1970."""

    key: str
    size: int
    path: Path
    modified: float


class Plan(NamedTuple):
    """What is to be fetched, how many files are there already, and why some can be none."""

    items: list[Download]
    present: int
    refused: list[str]


def download(connection: Connection, job: str, *, folder: Path, console: Console) -> Plan:
    """Bring the job's outputs below `folder`; raises ParallelizerError that names what is missing.

    A file appears under its name when it is whole. What is there already, as long and of the same
    time as its object, is not fetched again.
    """
    parameters = connection.job(job)["parameters"]
    bucket, prefix = parameters["outputBucket"], parameters["outputPrefix"]
    planned = plan(listed(connection.s3, bucket, prefix), prefix=prefix, folder=folder)
    objects = connection.objects()

    async def get(item: Download) -> None:
        item.path.parent.mkdir(parents=True, exist_ok=True)
        with _unfinished(item.path) as partial:
            await objects.download(bucket, item.key, to=partial, size=item.size)
            os.utime(partial, (item.modified, item.modified))
            partial.replace(item.path)

    failed = transfer.run(planned.items, get, label="downloading", console=console)
    missing = [*planned.refused, *failed]
    if missing:
        lines = "\n  ".join(missing)
        raise ParallelizerError(f"{len(missing)} outputs were not downloaded:\n  {lines}")
    return planned


def listed(s3: S3, bucket: str, prefix: str) -> Iterator[Listed]:
    """All objects under the prefix, by key."""
    after = ""
    while page := s3.page(bucket, prefix=prefix, after=after):
        yield from page
        after = page[-1].key


def plan(objects: Iterable[Listed], *, prefix: str, folder: Path) -> Plan:
    """What to fetch. Where one key wants a file and another a folder of one name, the file stays.

    A folder's marker (no bytes, a `/` at the end) is no output; an attempt's log is none either.
    """
    planned = Plan([], 0, [])
    taken: set[Path] = set()
    present = 0
    for found in objects:
        name = found.key[len(prefix) :]
        if keys.is_directory_marker(found.key, found.size) or keys.is_log(name):
            continue
        try:
            path = keys.below(folder, name)
            _check_parents(path, folder=folder, taken=taken)
        except KeyRefused as error:
            planned.refused.append(transfer.shown(str(error)))
            continue
        taken.add(path)
        if _is_whole(path, found):
            present += 1
        else:
            planned.items.append(Download(found.key, found.size, path, found.modified))
    return planned._replace(present=present)


def _check_parents(path: Path, *, folder: Path, taken: set[Path]) -> None:
    for parent in path.parents:
        if parent == folder:
            return
        if parent in taken:
            raise KeyRefused(f"{path}: another output is a file by the name of its folder {parent}")


def _is_whole(path: Path, found: Listed) -> bool:
    try:
        there = path.stat()
    except OSError:
        return False  # it is fetched, and if its place is unfit the fetching says why
    return there.st_size == found.size and int(there.st_mtime) == int(found.modified)


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """A path beside `path` for what is not whole yet; what is left there at the end is removed."""
    partial = path.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)
