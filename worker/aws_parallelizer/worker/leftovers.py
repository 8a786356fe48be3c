"""Processes that a worker before this one left: killed, it could not end its programs."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

_ROUNDS = 50  # one that forks while it is looked for is met in the next
_PAUSE_SECONDS = 0.02


def end_in(folder: Path) -> None:
    """SIGKILL to every process that works below a folder, until there is none."""
    found: list[int] = []
    for _ in range(_ROUNDS):
        found = list(_working_below(os.path.realpath(folder)))
        if not found:
            return
        log.warning("processes %s of an earlier worker are ended", found)
        for pid in found:
            _kill(pid)
        time.sleep(_PAUSE_SECONDS)
    log.error("processes %s cannot be ended", found)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended meanwhile


def _working_below(root: str) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            place = str((entry / "cwd").readlink())
        except OSError:
            continue  # it has ended, or is another user's, which ours are not
        if f"{place.removesuffix(' (deleted)')}/".startswith(f"{root}/"):
            yield int(entry.name)
