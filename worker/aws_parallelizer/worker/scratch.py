"""The disk space of attempts: a folder each, blank before it and made blank or removed after it,
whatever it came to.

<root>/environment          unpacked once, read-only
<root>/links                the links that show it, made once
<root>/tasks/<n>            only the attempt's group may enter it
<root>/tasks/<n>/work       the program's working directory: those links, the input
<root>/tasks/<n>/tmp        its TMPDIR

Where programs run as another user, `work`, `tmp` and all in them are that user's.

To make and remove directories is what file systems are slow at, so a folder serves one attempt
after the other, as long as each is sure to have left no process, and nothing else than small files.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from aws_parallelizer.core import keys
from aws_parallelizer.worker import clearing, environment, leftovers, removal
from aws_parallelizer.worker.clearing import Blank
from aws_parallelizer.worker.environment import Environment
from aws_parallelizer.worker.unprivileged import Groups, User

_TO_PASS_THROUGH = 0o711
_FOR_ONE_GROUP = 0o710
_ROOM_BYTES = 1024 * 1024  # with less left than this, the disk counts as full


@dataclass(eq=False)
class Folder:
    """One attempt's folder. The `input` goes to `argument` below `work`, as the program gets it;
    `group` may enter the folder, None = the worker's own user. `quiet`: no process is left that
    could write to it. `blanks` is what each directory was when all were blank.
    """

    root: Path
    work: Path
    tmp: Path
    group: int | None
    shown: Environment
    argument: str = ""
    input: Path = Path()
    quiet: bool = True
    blanks: tuple[tuple[str, Blank], ...] = ()


class Scratch:
    """All of the worker's folders below one root."""

    def __init__(self, root: Path, user: User | None) -> None:
        root = Path(os.path.realpath(root))  # once, so that nobody need do it for each output
        self._tasks = root / "tasks"
        self._links = root / "links"
        self._numbers = itertools.count(1)
        self._groups = Groups()
        self._idle: list[Folder] = []
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
        """A blank folder that shows the environment and has a place for the input `key`."""
        folder = self._idle.pop() if self._idle else self._new(shown)
        try:
            self._prepare(folder, key)
        except BaseException:
            self._discard(folder)
            raise
        return folder

    def _new(self, shown: Environment) -> Folder:
        root = self._tasks / str(next(self._numbers))
        group = self._groups.take() if self.user else None
        folder = Folder(root, root / "work", root / "tmp", group, shown)
        try:
            self._fill(folder)
        except BaseException:
            self._discard(folder)
            raise
        return folder

    def _fill(self, folder: Folder) -> None:
        for path in (folder.root, folder.work, folder.tmp):
            path.mkdir(mode=stat.S_IRWXU)
        for name in folder.shown.names:
            self._show(name, folder)
        for path in (folder.work, folder.tmp):
            self._give(path, folder.group)
        if folder.group is not None:
            os.chown(folder.root, -1, folder.group)
            folder.root.chmod(_FOR_ONE_GROUP)
        # Where programs are another user's, none can change the root of its folder.
        open_to_it = (
            (folder.work, folder.tmp) if self.user else (folder.root, folder.work, folder.tmp)
        )
        folder.blanks = tuple((str(path), clearing.look(str(path))) for path in open_to_it)

    def _show(self, name: str, folder: Folder) -> None:
        # A second name for a link that is there already costs a tenth of a new one.
        link = self._links / name
        if not os.path.lexists(link):
            link.symlink_to(folder.shown.folder / name)
        os.link(link, folder.work / name, follow_symlinks=False)

    def _prepare(self, folder: Folder, key: str) -> None:
        folder.quiet, folder.argument = True, keys.input_name(key)
        names = folder.shown.names
        if folder.argument in names:
            inner = "input"
            while inner in names:
                inner += "_"
            (folder.work / inner).mkdir()
            self._give(folder.work / inner, folder.group)
            folder.argument = f"{inner}/{folder.argument}"
        folder.input = folder.work / folder.argument

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

    async def take_back(self, folder: Folder) -> None:
        """The attempt is over: its folder is blank again for the next, or gone."""
        if folder.quiet and all(clearing.restore(*each) for each in folder.blanks):
            self._idle.append(folder)
        else:
            await asyncio.to_thread(self._discard, folder)

    def close(self) -> None:
        """Remove the blank folders: there will be no more attempts."""
        while self._idle:
            self._discard(self._idle.pop())

    def _discard(self, folder: Folder) -> None:
        try:
            removal.in_full(folder.root)
        finally:
            if folder.group is not None:
                self._groups.give_back(folder.group)
