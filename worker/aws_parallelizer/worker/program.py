"""One run of the analysis program: its process group, its two pipes, its end.

Nothing waits in a thread: the kernel tells the event loop of bytes in the pipes and, through a
pidfd, of the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from aws_parallelizer.worker.transcript import Transcript

log = logging.getLogger(__name__)

GRACE_SECONDS = 5.0  # between TERM and KILL
_DEATH_PAUSES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, *(1.0,) * 30)  # after KILL
_CHUNK_BYTES = 64 * 1024
_MOMENT_SECONDS = 0.02  # for which a program that fills a pipe may have to wait
_UMASK = 0o077
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
_KILLED_FIRST = b"1000"  # by the kernel, before the worker and all else on the machine
_LEFT_BYTES = 4 * 1024 * 1024  # read after the end; a daemon that writes on is not waited for


class Run(NamedTuple):
    """How a program ended: its exit code, negative = the signal, None = it hangs in the kernel and
    could not be ended; whether its time ran out.
    """

    exit_code: int | None
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
    become: AbstractContextManager[None],
) -> Run:
    """Run a command to its end, at most `limit` seconds. Its group has been killed afterwards,
    however this is left. Its process id is one of `programs` meanwhile. It is started within
    `become`, which makes this thread its user.

    Raises OSError if it cannot be started.
    """
    started = time.monotonic()
    with _Pipes(transcript) as pipes:
        pid = pipes.start(command, folder=folder, environment=environment, become=become)
        programs.add(pid)
        try:
            try:
                _offer(pid)
                in_time = await _until_end(pid, limit)
            finally:
                exit_code = await _end_group(pid)
        finally:
            programs.discard(pid)
    return Run(exit_code, time.monotonic() - started, not in_time)


def _offer(pid: int) -> None:
    # To the kernel, for want of memory: else it kills what is largest, which is the worker where a
    # program is many small processes. These have the number from the first one.
    with contextlib.suppress(OSError):  # it has ended, or is not ours to be changed
        file = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY)
        try:
            os.write(file, _KILLED_FIRST)
        finally:
            os.close(file)


async def _until_end(pid: int, limit: float | None) -> bool:
    """Whether it ended by itself; otherwise it has been asked to."""
    pidfd = os.pidfd_open(pid)
    try:
        if await _ended(pidfd, limit):
            return True
        await _ask_to_end(pid, pidfd)
    except asyncio.CancelledError:
        await _ask_to_end(pid, pidfd)
        raise
    finally:
        os.close(pidfd)
    return False


async def _ended(pidfd: int, limit: float | None) -> bool:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[bool] = loop.create_future()
    loop.add_reader(pidfd, _set, future, True)
    timer = None if limit is None else loop.call_later(limit, _set, future, False)
    try:
        return await future
    finally:
        if timer:
            timer.cancel()
        loop.remove_reader(pidfd)


async def _ask_to_end(pid: int, pidfd: int) -> None:
    _signal(pid, signal.SIGTERM)
    await _ended(pidfd, GRACE_SECONDS)


async def _end_group(pid: int) -> int | None:
    # The leader is not reaped before its group is killed, so that the group's number cannot be
    # another's.
    _signal(pid, signal.SIGKILL)
    for pause in _DEATH_PAUSES:
        if (exit_code := _reaped(pid)) is not None:
            return exit_code
        await asyncio.sleep(pause)
    # In a call of the kernel that does not come back: a disk or a file system that hangs. The
    # leases of all others are renewed meanwhile.
    log.error("process %d cannot be ended: it hangs in the kernel", pid)
    return None


def _reaped(pid: int) -> int | None:
    reaped, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if reaped else None


def _set(future: asyncio.Future[bool], ended: bool) -> None:
    if not future.done():
        future.set_result(ended)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return  # all of them have ended


class _Pipes:
    """Standard output and error of a program: read at its end, and before it whenever there is
    something once the program has run for a moment. Most are over by then.
    """

    def __init__(self, transcript: Transcript) -> None:
        self._loop = asyncio.get_running_loop()
        self._transcript = transcript
        self._takers: dict[int, Callable[[bytes], None]] = {}
        self._watched = False
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> _Pipes:
        return self

    def __exit__(self, *_error: object) -> None:
        """Take what is left in the pipes, and close them."""
        if self._timer:
            self._timer.cancel()
        for number in list(self._takers):
            for _ in range(_LEFT_BYTES // _CHUNK_BYTES):
                if not self._read(number):
                    break
            self._close(number)

    def start(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        become: AbstractContextManager[None],
    ) -> int:
        """The process id of the command, which has begun. Raises OSError."""
        ends: list[int] = []
        try:
            for take in (self._transcript.out, self._transcript.error):
                mine, its = os.pipe()
                ends.append(its)
                self._takers[mine] = take
                os.set_blocking(mine, False)
            pid = _start(command, ends, folder=folder, environment=environment, become=become)
        finally:
            for end in ends:
                os.close(end)
        self._timer = self._loop.call_later(_MOMENT_SECONDS, self._watch)
        return pid

    def _watch(self) -> None:
        self._watched = True
        for number in self._takers:
            self._loop.add_reader(number, self._read, number)

    def _read(self, number: int) -> bool:
        take = self._takers.get(number)
        if take is None:
            return False
        try:
            chunk = os.read(number, _CHUNK_BYTES)
        except BlockingIOError:
            return False  # nothing there now
        if not chunk:
            self._close(number)
            return False
        take(chunk)
        return True

    def _close(self, number: int) -> None:
        if self._takers.pop(number, None):
            if self._watched:
                self._loop.remove_reader(number)
            os.close(number)


def _start(
    command: Sequence[str],
    ends: Sequence[int],
    *,
    folder: Path,
    environment: Mapping[str, str],
    become: AbstractContextManager[None],
) -> int:
    # posix_spawn(3) costs less than half of subprocess's own work, and begins a program where its
    # parent is and with its parent's umask: so the worker, which names everything by its whole
    # path, goes there for this moment.
    here = os.open(".", os.O_PATH | os.O_DIRECTORY)
    umask = os.umask(_UMASK)
    try:
        os.chdir(folder)
        with become:
            try:
                return _spawn(command, ends, environment)
            except OSError as error:
                if error.errno != errno.ENOEXEC:
                    raise
                # A script without #!, which shells run so.
                return _spawn(["/bin/sh", *command], ends, environment)
    finally:
        os.umask(umask)
        os.fchdir(here)
        os.close(here)


def _spawn(command: Sequence[str], ends: Sequence[int], environment: Mapping[str, str]) -> int:
    out, error = ends
    return os.posix_spawn(
        command[0],
        list(command),
        environment,
        file_actions=(
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out, 1),
            (os.POSIX_SPAWN_DUP2, error, 2),
        ),
        setpgroup=0,
        setsigdef=_IGNORED_BY_PYTHON,
    )
