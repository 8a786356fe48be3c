"""One local cloud in a folder: a lock that the kernel lets go of, however its holder ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

NAME = "lock"  # in a local cloud's folder


class AlreadyRunning(Exception):
    """Another process holds the lock; its id is the argument."""


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock; raises AlreadyRunning."""
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise AlreadyRunning(file.read().strip() or "unknown") from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
