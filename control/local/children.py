"""The servers that the local cloud consists of, as child processes that never outlive it.

Each has a session of its own: Ctrl-C reaches only the parent, which ends them in order. If the
parent is killed, the kernel tells them to end.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local import processes

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.2  # between two looks; a quarter while one starts, for which somebody waits
GRACE_SECONDS = 10.0  # to end in order; the local EC2 ends its machines in it
START_SECONDS = 60.0
TAIL_LINES = 20


class ChildFailed(Exception):
    """A server ended, or did not begin to answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Child:
    """A running server."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def has_ended(self) -> bool:
        return self.process.poll() is not None


def start(name: str, command: list[str], *, environment: Mapping[str, str], log_to: Path) -> Child:
    """Begin a server; its output goes to a new log file."""
    with log_to.open("wb") as output:
        process = subprocess.Popen(
            processes.tethered(command, parting=signal.SIGTERM),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Child(name=name, log=log_to, process=process)


def await_answer(child: Child, url: str) -> None:
    """Wait until the server answers; raises ChildFailed."""
    deadline = time.monotonic() + START_SECONDS
    while not _answers(url):
        if child.has_ended():
            raise failure(child)
        if time.monotonic() > deadline:
            message = f"{child.name} does not answer after {START_SECONDS:.0f} s"
            raise ChildFailed(f"{message}; the end of {child.log}:\n{child.tail()}")
        time.sleep(WATCH_SECONDS / 4)


def failure(child: Child) -> ChildFailed:
    """What to say of a server that ended."""
    code = child.process.poll()
    return ChildFailed(f"{child.name} ended ({code}); the end of {child.log}:\n{child.tail()}")


def end(child: Child) -> None:
    """Ask it to end, wait a while, and end all of its session."""
    if not child.has_ended():
        child.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(GRACE_SECONDS)
    processes.kill(child.process.pid)
    child.process.wait()


class Watch:
    """Interrupts the main thread with SIGTERM when a server ends; `dead` is then that one."""

    def __init__(self) -> None:
        self.dead: Child | None = None
        self._children: list[Child] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def add(self, child: Child) -> None:
        self._children = [*self._children, child]

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(WATCH_SECONDS):
            self.dead = next((child for child in self._children if child.has_ended()), None)
            if self.dead is not None:
                os.kill(os.getpid(), signal.SIGTERM)
                return


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  our own loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False  # not yet: the caller asks again
