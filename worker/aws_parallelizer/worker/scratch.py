"""The disk space of attempts: one folder each, made before it and removed after it, whatever it
came to.

<root>/environment          unpacked once, read-only
<root>/tasks/<n>/work       the program's working directory: links to the environment, the input
<root>/tasks/<n>/tmp        its TMPDIR
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from aws_parallelizer.core import keys
from aws_parallelizer.worker import environment
from aws_parallelizer.worker.environment import Environment

log = logging.getLogger(__name__)

_SMALL_BYTES = (
    16 * 1024 * 1024
)  # the kernel frees a larger file slowly enough to keep the loop waiting
_ROOM_BYTES = 1024 * 1024  # with less left than this, the disk counts as full


class Folder(NamedTuple):
    """One attempt's folder. `argument` is the input's path from `work`, as the program gets it."""

    root: Path
    work: Path
    tmp: Path
    argument: str

    @property
    def input(self) -> Path:
        """Where the input goes."""
        return self.work / self.argument


class Scratch:
    """All of the worker's folders below one root."""

    def __init__(self, root: Path) -> None:
        root = Path(os.path.realpath(root))  # once, so that nobody need do it for each output
        self._tasks = root / "tasks"
        self._numbers = itertools.count(1)
        self.environment = root / "environment"
        self.archive = root / "environment.zip"

    def sweep(self) -> None:
        """Remove what a worker before this one left, and begin anew."""
        if self.environment.exists():
            environment.remove(self.environment)
        if self._tasks.exists():
            _remove_tree(self._tasks)
        self._tasks.mkdir(parents=True)

    def make(self, key: str, shown: Environment) -> Folder:
        """A fresh folder that shows the environment and has a place for the input `key`."""
        root = self._tasks / str(next(self._numbers))
        work, tmp = root / "work", root / "tmp"
        for path in (root, work, tmp):
            path.mkdir(mode=0o700)
        for name in shown.names:
            (work / name).symlink_to(shown.folder / name)
        name = keys.input_name(key)
        if name not in shown.names:
            return Folder(root, work, tmp, name)
        inner = "input"
        while inner in shown.names:
            inner += "_"
        (work / inner).mkdir()
        return Folder(root, work, tmp, f"{inner}/{name}")

    def is_full(self) -> bool:
        """Whether the disk has no room left, of bytes or of files."""
        space = os.statvfs(self._tasks)
        return space.f_bavail * space.f_frsize < _ROOM_BYTES or (
            space.f_files > 0 and space.f_favail == 0
        )

    async def remove(self, folder: Folder) -> None:
        """Remove a folder; what would take long is removed off the loop."""
        if _is_flat(folder.work) and _is_flat(folder.tmp):
            _remove_tree(folder.root)
        else:
            await asyncio.to_thread(_remove_tree, folder.root)


def _is_flat(directory: Path) -> bool:
    try:
        with os.scandir(directory) as entries:
            return all(_is_small(entry) for entry in entries)
    except OSError:
        return False  # moved, or closed to us: the removal in full takes care of it


def _is_small(entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink():
        return True
    return not entry.is_dir() and entry.stat().st_size <= _SMALL_BYTES


def _remove_tree(root: Path) -> None:
    shutil.rmtree(root, onerror=_open_and_again)


def _open_and_again(_call: Callable[..., Any], path: str, _error: object) -> None:
    # A program may have left directories without the permissions to remove what is in them.
    parent = Path(path).parent
    try:
        for closed in (parent, Path(path)):
            if not closed.is_symlink() and closed.is_dir():
                closed.chmod(stat.S_IRWXU)
        if Path(path).is_symlink() or not Path(path).is_dir():
            Path(path).unlink(missing_ok=True)
        else:
            shutil.rmtree(path)
    except OSError:
        log.exception("%s cannot be removed and takes up space until the next start", path)
