"""Processes as the kernel shows them: which belong to a machine, and how they are ended.

A session is what a machine's processes have in common: programs get process groups of their
own, but stay in the session. One that left the session is known by its working directory.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

TETHER = Path(__file__).with_name("tether.py")
SWEEPS = 50  # a process that forks while it is swept is met again in the next sweep
PAUSE_SECONDS = 0.02  # for the kernel to end what was killed, before the next sweep


def tethered(command: list[str], *, parting: signal.Signals) -> list[str]:
    """The command, made to get the signal `parting` when the thread that starts it ends."""
    return [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), str(int(parting)), *command]


def members(session: int | None, *, folder: Path | None = None) -> list[int]:
    """The living processes of the session, and those that work in or below the folder."""
    root = None if folder is None else os.path.realpath(folder)
    return [pid for pid in _living() if _belongs(pid, session, root)]


def kill(session: int | None, *, folder: Path | None = None) -> None:
    """SIGKILL to all members, until there are none."""
    for _ in range(SWEEPS):
        pids = members(session, folder=folder)
        if not pids:
            return
        for pid in pids:
            send(pid, signal.SIGKILL)
        time.sleep(PAUSE_SECONDS)
    log.error("processes %s of session %s outlive SIGKILL", pids, session)


def send(pid: int, number: signal.Signals) -> None:
    """The signal, to a process that may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        log.debug("process %s had ended before %s", pid, number.name)


def _living() -> Iterator[int]:
    own = os.getpid()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != own:
            yield int(entry.name)


def _belongs(pid: int, session: int | None, root: str | None) -> bool:
    try:
        # The name in parentheses may hold anything, so the fields are counted from its end.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        if fields[0] in (b"Z", b"X"):
            return False
        if session is not None and int(fields[3]) == session:
            return True
        return root is not None and _is_below(str(Path(f"/proc/{pid}/cwd").readlink()), root)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False  # it ended while it was looked at, or is another user's: not ours to end


def _is_below(path: str, root: str) -> bool:
    # The kernel marks a working directory that was removed.
    return f"{path.removesuffix(' (deleted)')}/".startswith(f"{root}/")
