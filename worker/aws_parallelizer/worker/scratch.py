"""The disk space of attempts: one folder each, made before it and removed after it, whatever it
came to.

<root>/environment          unpacked once, read-only
<root>/links                the links that show it, made once
<root>/tasks/<n>            only the attempt's group may enter it
<root>/tasks/<n>/work       the program's working directory: those links, the input
<root>/tasks/<n>/tmp        its TMPDIR

Where programs run as another user, `work`, `tmp` and all in them are that user's.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import stat
from pathlib import Path
from typing import NamedTuple

from aws_parallelizer.core import keys
from aws_parallelizer.worker import environment, leftovers, removal
from aws_parallelizer.worker.environment import Environment
from aws_parallelizer.worker.unprivileged import Groups, User

_TO_PASS_THROUGH = 0o711
_FOR_ONE_GROUP = 0o710
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
        self._links = root / "links"
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
        for folder in (self._tasks, self._links):
            if folder.exists():
                removal.in_full(folder)
            folder.mkdir(parents=True, mode=stat.S_IRWXU)
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
            removal.in_full(root)
            self._give_back(group)
            raise

    def _fill(self, root: Path, group: int | None, key: str, shown: Environment) -> Folder:
        work, tmp = root / "work", root / "tmp"
        for path in (root, work, tmp):
            path.mkdir(mode=0o700)
        for name in shown.names:
            self._show(name, shown, work)
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

    def _show(self, name: str, shown: Environment, work: Path) -> None:
        # A second name for a link that is there already: to make and remove links by the thousand
        # is what file systems are slow at.
        link = self._links / name
        if not os.path.lexists(link):
            link.symlink_to(shown.folder / name)
        os.link(link, work / name, follow_symlinks=False)

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
            quick = removal.of_flat(folder.work) and removal.of_flat(folder.tmp)
            if not (quick and removal.of_flat(folder.root)):
                await asyncio.to_thread(removal.in_full, folder.root)
        finally:
            self._give_back(folder.group)

    def _give_back(self, group: int | None) -> None:
        if group is not None:
            self._groups.give_back(group)
