"""Processes that a program leaves when it ends: daemons in sessions of their own, which its group's
end does not reach.

The worker adopts them (prctl(2), PR_SET_CHILD_SUBREAPER), so that they are found among its children
and nowhere else: what is no program's first process has lost its parent.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path

log = logging.getLogger(__name__)

_PR_SET_CHILD_SUBREAPER = 36
_PAUSES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 1.0, 1.0)  # for one that is slow to die


class _Whose(Enum):
    ATTEMPTS = auto()
    ANOTHERS = auto()
    UNKNOWN = auto()


class Orphans:
    """The orphans of one worker's programs; `programs` are the process ids of those that run.

    Until `adopt` succeeds nothing is known of any orphan.
    """

    def __init__(self) -> None:
        self.programs: set[int] = set()
        self._children = ""

    def adopt(self) -> None:
        """Have all orphans from now on."""
        children = f"/proc/self/task/{os.getpid()}/children"  # the main thread is who has them
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) or not Path(children).exists():
            log.warning("this kernel does not tell of processes that programs leave behind")
            return
        self._children = children

    async def end(self, root: Path, group: int | None) -> bool:
        """End what the program of the attempt in the folder `root` left; whether it is sure that
        nothing of it is left. `group` is the attempt's own, None = it has none.
        """
        if not self._children:
            return False
        for pause in _PAUSES:
            found = [self._whose(pid, root, group) for pid in self._unreaped()]
            if _Whose.ATTEMPTS not in found:
                return _Whose.UNKNOWN not in found
            await asyncio.sleep(pause)
        log.error("processes that a program left cannot be ended: %s", list(self._unreaped()))
        return False

    def _unreaped(self) -> Iterator[int]:
        for pid in map(int, _contents(self._children).split()):
            if pid not in self.programs and os.waitpid(pid, os.WNOHANG) == (0, 0):
                yield pid

    def _whose(self, pid: int, root: Path, group: int | None) -> _Whose:
        whose = _by_group(pid, group) if group is not None else _by_place(pid, root)
        if whose is _Whose.UNKNOWN and not self.programs:
            whose = _Whose.ATTEMPTS  # or of one before it
        if whose is _Whose.ATTEMPTS:
            # Ours, and not reaped yet: the number cannot be another's.
            os.kill(pid, signal.SIGKILL)
        return whose


def _contents(file: str) -> bytes:
    # At the end of every attempt, so by the shortest way.
    opened = os.open(file, os.O_RDONLY)
    try:
        found = b""
        while chunk := os.read(opened, 64 * 1024):
            found += chunk
    finally:
        os.close(opened)
    return found


def _by_group(pid: int, group: int) -> _Whose:
    # Bytes: a process gives itself any name, which stands there too, its newlines escaped.
    for line in _contents(f"/proc/{pid}/status").split(b"\n"):
        if line.startswith(b"Gid:"):
            return _Whose.ATTEMPTS if int(line.split()[1]) == group else _Whose.ANOTHERS
    return _Whose.UNKNOWN


def _by_place(pid: int, root: Path) -> _Whose:
    # A program may change both, so that neither says whose it is not.
    process = Path("/proc", str(pid))
    try:
        place = str((process / "cwd").readlink())
        variables = (process / "environ").read_bytes()
    except OSError:
        return _Whose.UNKNOWN  # it has ended, or may not be looked at
    if f"{place}/".startswith(f"{root}/") or os.fsencode(f"HOME={root}/") in variables:
        return _Whose.ATTEMPTS
    return _Whose.UNKNOWN
