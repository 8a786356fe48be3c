"""One run of the analysis program: its process group, its two pipes, its end.

Nothing waits in a thread: the kernel tells the event loop of bytes in the pipes and, through a
pidfd, of the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aws_parallelizer.worker.transcript import Transcript

GRACE_SECONDS = 5.0  # between TERM and KILL
_CHUNK_BYTES = 64 * 1024
_UMASK = 0o077
_LEFT_BYTES = 4 * 1024 * 1024  # read after the end; a daemon that writes on is not waited for


class Run(NamedTuple):
    """How a program ended: its exit code, negative = the signal; whether its time ran out."""

    exit_code: int
    seconds: float
    timed_out: bool


async def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    transcript: Transcript,
    limit: float | None,
    programs: set[int],
) -> Run:
    """Run a command to its end, at most `limit` seconds. Its group is gone afterwards, however this
    is left. Its process id is one of `programs` meanwhile.

    Raises OSError if it cannot be started.
    """
    started = time.monotonic()
    process = _start(command, folder=folder, environment=environment)
    programs.add(process.pid)
    timed_out = False
    with contextlib.ExitStack() as whatever_happens:
        whatever_happens.callback(programs.discard, process.pid)
        pipes = _Pipes(process, transcript)
        whatever_happens.callback(pipes.close)
        # The leader is not reaped before its group is killed, so that the group's number cannot be
        # another's.
        whatever_happens.callback(process.wait)
        whatever_happens.callback(_signal, process, signal.SIGKILL)
        pidfd = os.pidfd_open(process.pid)
        whatever_happens.callback(os.close, pidfd)
        try:
            if not await _ended(pidfd, limit):
                timed_out = True
                await _ask_to_end(process, pidfd)
        except asyncio.CancelledError:
            await _ask_to_end(process, pidfd)
            raise
    return Run(process.returncode, time.monotonic() - started, timed_out)


def _start(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    def start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            arguments,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            process_group=0,
            umask=_UMASK,
        )

    try:
        return start(command)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        return start(["/bin/sh", *command])  # a script without #!, which shells run so


async def _ended(pidfd: int, limit: float | None) -> bool:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.add_reader(pidfd, _set, future)
    try:
        async with asyncio.timeout(limit):
            await future
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(pidfd)
    return True


async def _ask_to_end(process: subprocess.Popen[bytes], pidfd: int) -> None:
    _signal(process, signal.SIGTERM)
    await _ended(pidfd, GRACE_SECONDS)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return  # all of them have ended


class _Pipes:
    """Standard output and error, read whenever there is something."""

    def __init__(self, process: subprocess.Popen[bytes], transcript: Transcript) -> None:
        self._loop = asyncio.get_running_loop()
        streams = ((process.stdout, transcript.out), (process.stderr, transcript.error))
        self._files = [file for file, _ in streams if file]
        self._takers: dict[int, Callable[[bytes], None]] = {
            file.fileno(): take for file, take in streams if file
        }
        for number in self._takers:
            os.set_blocking(number, False)
            self._loop.add_reader(number, self._read, number)

    def close(self) -> None:
        """Take what is left in the pipes, and close them."""
        for number in list(self._takers):
            for _ in range(_LEFT_BYTES // _CHUNK_BYTES):
                if not self._read(number):
                    break
            self._forget(number)
        for file in self._files:
            file.close()

    def _read(self, number: int) -> bool:
        take = self._takers.get(number)
        if take is None:
            return False
        try:
            chunk = os.read(number, _CHUNK_BYTES)
        except BlockingIOError:
            return False  # nothing there now
        if not chunk:
            self._forget(number)
            return False
        take(chunk)
        return True

    def _forget(self, number: int) -> None:
        if self._takers.pop(number, None):
            self._loop.remove_reader(number)
