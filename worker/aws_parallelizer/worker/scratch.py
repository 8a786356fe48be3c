"""The disk space of attempts: one folder each, made before it and removed after it, whatever it
came to.

<root>/environment          unpacked once, read-only
<root>/tasks/<n>            only the attempt's group may enter it
<root>/tasks/<n>/work       the program's working directory: links to the environment, the input
<root>/tasks/<n>/tmp        its TMPDIR

Where programs run as another user, `work`, `tmp` and all in them are that user's.
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
from aws_parallelizer.worker import environment, leftovers
from aws_parallelizer.worker.environment import Environment
from aws_parallelizer.worker.unprivileged import Groups, User

log = logging.getLogger(__name__)

_SMALL_BYTES = (
    16 * 1024 * 1024
)  # the kernel frees a larger file slowly enough to keep the loop waiting
_TO_PASS_THROUGH = 0o711
_FOR_ONE_GROUP = 0o710
_ROUNDS = 10
_ROOM_BYTES = 1024 * 1024  # with less left than this, the disk counts as full


class Folder(NamedTuple):
    """One attempt's folder. `argument` is the input's path from `work`, as the program gets it;
    `group` may enter the folder, None = the worker's own user.
    """

    root: Path
    work: Path
    tmp: Path
    argument: str
    group: int | None

    @property
    def input(self) -> Path:
        """Where the input goes."""
        return self.work / self.argument


class Scratch:
    """All of the worker's folders below one root."""

    def __init__(self, root: Path, user: User | None) -> None:
        root = Path(os.path.realpath(root))  # once, so that nobody need do it for each output
        self._tasks = root / "tasks"
        self._numbers = itertools.count(1)
        self._groups = Groups()
        self.user = user
        self.environment = root / "environment"
        self.archive = root / "environment.zip"

    @property
    def owner(self) -> int | None:
        """The user id that every file of a program's has, None = whose does not matter."""
        return self.user.uid if self.user else None

    def sweep(self) -> None:
        """End and remove what a worker before this one left, and begin anew. Raises NoUser if no
        program could come here.
        """
        leftovers.end_in(self._tasks)
        if self.environment.exists():
            environment.remove(self.environment)
        if self._tasks.exists():
            _remove_tree(self._tasks)
        self._tasks.mkdir(parents=True)
        self._tasks.chmod(_TO_PASS_THROUGH if self.user else stat.S_IRWXU)
        if self.user:
            self.user.require_way_to(self._tasks)

    def make(self, key: str, shown: Environment) -> Folder:
        """A fresh folder that shows the environment and has a place for the input `key`."""
        root = self._tasks / str(next(self._numbers))
        group = self._groups.take() if self.user else None
        try:
            return self._fill(root, group, key, shown)
        except BaseException:
            _remove_tree(root)
            self._give_back(group)
            raise

    def _fill(self, root: Path, group: int | None, key: str, shown: Environment) -> Folder:
        work, tmp = root / "work", root / "tmp"
        for path in (root, work, tmp):
            path.mkdir(mode=0o700)
        for name in shown.names:
            (work / name).symlink_to(shown.folder / name)
        argument = keys.input_name(key)
        inner = "input"
        if argument in shown.names:
            while inner in shown.names:
                inner += "_"
            (work / inner).mkdir()
            self._give(work / inner, group)
            argument = f"{inner}/{argument}"
        for path in (work, tmp):
            self._give(path, group)
        if group is not None:
            os.chown(root, -1, group)
            root.chmod(_FOR_ONE_GROUP)
        return Folder(root, work, tmp, argument, group)

    def hand_over(self, folder: Folder) -> None:
        """The input is there, and the program's from now on."""
        self._give(folder.input, folder.group)

    def _give(self, path: Path, group: int | None) -> None:
        if self.user and group is not None:
            os.chown(path, self.user.uid, group, follow_symlinks=False)

    def is_full(self) -> bool:
        """Whether the disk has no room left, of bytes or of files."""
        space = os.statvfs(self._tasks)
        return space.f_bavail * space.f_frsize < _ROOM_BYTES or (
            space.f_files > 0 and space.f_favail == 0
        )

    async def remove(self, folder: Folder) -> None:
        """Remove a folder; what would take long is removed off the loop."""
        try:
            if _is_flat(folder.work) and _is_flat(folder.tmp):
                _remove_tree(folder.root)
            else:
                await asyncio.to_thread(_remove_tree, folder.root)
        finally:
            self._give_back(folder.group)

    def _give_back(self, group: int | None) -> None:
        if group is not None:
            self._groups.give_back(group)


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
    if os.geteuid() != 0:
        shutil.rmtree(root, onerror=_open_and_again)
        return
    # Root needs no permission, and must follow no path that a program can still bend: rmtree goes
    # from directory to directory by descriptor. What is made meanwhile takes another round.
    for _ in range(_ROUNDS):
        shutil.rmtree(root, ignore_errors=True)
        if not os.path.lexists(root):
            return
    log.error("%s cannot be removed and takes up space until the next start", root)


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
