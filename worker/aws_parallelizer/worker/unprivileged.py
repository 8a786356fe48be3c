"""The user that analysis programs run as where the worker itself is root.

A process begins with the ids of the thread that starts it. So the thread that starts programs
becomes their user for that moment, and nothing has to be executed in between. It keeps root as its
saved user id, which alone lets it return; execve(2) leaves the program nothing of that.

Each attempt has a group of its own, too, which alone may enter the attempt's folder: attempts share
their user, and neither see each other's files nor look into each other's processes.

It is never the main thread: who may send signals to a process is decided by that one's ids. Who
may send them to a thread (tgkill(2)), by that thread's: so a program that tries without pause can
end the worker while it starts another. It gains nothing else by it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import pwd
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from aws_parallelizer.core.errors import NoUser

# What systemd keeps for users that come and go: https://systemd.io/UIDS-GIDS/
_GROUPS = range(61184, 65520)
_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITIES = 0x20080522  # version 3 of capset(2)'s header
_INHERITABLE = (2, 5)  # of its six words: effective, permitted, inheritable, twice


class _Calls(NamedTuple):
    setgroups: int
    setresuid: int
    setresgid: int


# glibc's functions of these names change all threads; the kernel's own change the calling one.
_CALLS = {"x86_64": _Calls(116, 117, 119), "aarch64": _Calls(159, 147, 149)}
_calls = _CALLS.get(platform.machine())
# That keeps the interpreter's lock, so that no other thread runs while this one is somebody else.
_libc = ctypes.PyDLL(None, use_errno=True)


class User(NamedTuple):
    """An unprivileged user."""

    name: str
    uid: int

    @contextmanager
    def become(self, group: int) -> Iterator[None]:
        """This thread is the user, in `group` alone: a process that it starts meanwhile stays so,
        with no capability and no way to gain one. The thread has to have called `shed`.

        Raises OSError.
        """
        if _prctl(_PR_CAPBSET_READ):
            raise RuntimeError("this thread has not shed what its programs must not have")
        calls = _known_calls()
        _syscall(calls.setresgid, group, group, group)
        try:
            _syscall(calls.setresuid, self.uid, self.uid, 0)
            try:
                yield
            finally:
                _syscall(calls.setresuid, 0, 0, 0)
        finally:
            _syscall(calls.setresgid, 0, 0, 0)

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
    user = User(name, uid)
    _try(user)
    return user


def shed() -> None:
    """Take from this thread, for good, whatever a program that it starts could gain more by: other
    groups, and the capabilities that files give or that outlive a change of user. No other thread
    is changed. Nothing where the worker is not root.

    Raises NoUser.
    """
    if os.geteuid() != 0:
        return
    try:
        _shed()
    except OSError as error:
        raise NoUser(f"programs cannot run as another user than root: {error}") from error


def shut_to_others(folder: Path) -> Path | None:
    """The first directory on the way to a folder, itself included, that not all users may enter."""
    for directory in reversed((folder, *folder.parents)):
        if not directory.stat().st_mode & stat.S_IXOTH:
            return directory
    return None


def _shed() -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header, words = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    _check(_libc.capget(header, words))
    for word in _INHERITABLE:
        words[word] = 0
    _check(_libc.capset(header, words))
    number = 0
    while _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0) >= 0:  # until there is no such capability
        _prctl(_PR_CAPBSET_DROP, number)
        number += 1
    _syscall(_known_calls().setgroups, 0, None)


def _try(user: User) -> None:
    try:
        with user.become(_GROUPS[0]):
            pid = os.posix_spawn("/bin/true", ["true"], {})
    except OSError as error:
        raise NoUser(f"programs cannot run as user {user.name}: {error}") from error
    os.waitpid(pid, 0)


def _known_calls() -> _Calls:
    if _calls is None:
        raise NoUser(f"programs cannot run as another user on a machine {platform.machine()}")
    return _calls


def _prctl(option: int, argument: int = 0) -> int:
    return _check(_libc.prctl(option, argument, 0, 0, 0))


def _syscall(number: int, *arguments: int | None) -> None:
    _check(_libc.syscall(number, *arguments))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
