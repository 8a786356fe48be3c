"""The user that analysis programs run as where the worker itself is root.

`setpriv` (util-linux) takes everything away and becomes the program, so that a spawn stays a vfork:
subprocess's own `user=` would fork the whole worker. It gives each attempt a group of its own, too,
which alone may enter the attempt's folder: attempts share their user, and neither see each other's
files nor look into each other's processes.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import stat
import subprocess
from collections import deque
from pathlib import Path
from typing import NamedTuple

from aws_parallelizer.core.errors import NoUser

# What systemd keeps for users that come and go: https://systemd.io/UIDS-GIDS/
_GROUPS = range(61184, 65520)
_TRY_SECONDS = 30
_NOT_STARTED = re.compile(r"\Asetpriv: failed to execute [^\n]*: ([^\n:]+)\n\Z")
_NOT_STARTED_CODES = (126, 127)


class User(NamedTuple):
    """An unprivileged user, and the tool that turns a process into one of it."""

    name: str
    uid: int
    setpriv: str

    def command(self, group: int) -> list[str]:
        """What to write before a command, so that it runs as this user in `group` alone, with no
        capability and no way to gain one.
        """
        return [
            self.setpriv,
            f"--reuid={self.uid}",
            f"--regid={group}",
            "--clear-groups",
            "--no-new-privs",
            "--inh-caps=-all",
            "--bounding-set=-all",
            "--",
        ]

    def require_way_to(self, folder: Path) -> None:
        """Raise NoUser if the user cannot enter the folder."""
        shut = shut_to_others(folder)
        if shut:
            raise NoUser(
                f"programs run as user {self.name}, who cannot enter {shut}: set "
                f"PARALLELIZER_SCRATCH to a directory that all users can enter, not {folder}"
            )


class Groups:
    """Numbers of groups without a name, one an attempt; the one that was free for longest comes
    first.
    """

    def __init__(self) -> None:
        self._free = deque(_GROUPS)

    def take(self) -> int:
        """A group that nobody else has."""
        return self._free.popleft()

    def give_back(self, group: int) -> None:
        """The attempt is over."""
        self._free.append(group)


def of_programs(name: str) -> User | None:
    """The user of that name; None where the worker is not root, and programs run as it does.

    Raises NoUser if there is none, or no way to become it.
    """
    if os.geteuid() != 0:
        return None
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError as error:
        raise NoUser(
            f"PARALLELIZER_USER is {name!r}, and there is no such user on this machine: "
            "make it, or name another"
        ) from error
    if uid == 0:
        raise NoUser(f"PARALLELIZER_USER is {name!r}: programs never run as root")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise NoUser(
            "programs cannot run as another user without the command setpriv: install util-linux"
        )
    user = User(name, uid, setpriv)
    _try(user)
    return user


def not_started(exit_code: int | None, written: str) -> str | None:
    """Why a command after `User.command` did not start; None = it did."""
    if exit_code not in _NOT_STARTED_CODES:
        return None
    said = _NOT_STARTED.match(written)
    return said[1] if said else None


def shut_to_others(folder: Path) -> Path | None:
    """The first directory on the way to a folder, itself included, that not all users may enter."""
    for directory in reversed((folder, *folder.parents)):
        if not directory.stat().st_mode & stat.S_IXOTH:
            return directory
    return None


def _try(user: User) -> None:
    try:
        subprocess.run(
            [*user.command(_GROUPS[0]), "/bin/true"],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            timeout=_TRY_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise NoUser(f"programs cannot run as user {user.name}: {said}") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise NoUser(f"programs cannot run as user {user.name}: {error}") from error
