"""What a program's end or an error means for its task. Pure, but for the kernel's counter of memory
kills.
"""

from __future__ import annotations

import errno
import math
import re
import signal
import time
from pathlib import Path

from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.core.errors import BadOutput
from aws_parallelizer.core.outcome import Outcome
from aws_parallelizer.core.task import Ended
from aws_parallelizer.worker.program import Run
from aws_parallelizer.worker.publishing import Collision, LeaseLost

_SHELL_KILLED = 128 + signal.SIGKILL  # how a shell reports that its command got SIGKILL
_MOMENT_SECONDS = 1.0  # a look costs a tenth of what a small file costs
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_ROOM = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


class MemoryKills:
    """Tells whether the kernel has killed for want of memory. One rise of its counter may stand for
    several programs that were killed together, so each of those is told so.

    To `look` when a program starts keeps those that the kernel killed before it from being taken
    for it: processes whose programs made do without them.
    """

    def __init__(self, vmstat: Path = Path("/proc/vmstat")) -> None:
        self._vmstat = vmstat
        self._seen = self._count()
        self._looked = time.monotonic()
        self._rose = -math.inf

    def look(self) -> None:
        """At once, unless the last look was a moment ago."""
        if time.monotonic() - self._looked >= _MOMENT_SECONDS:
            self._look()

    def rose(self, *, within: float) -> bool:
        """Whether there were more of them than at the last look, or at one in the last so many
        seconds.
        """
        self._look()
        return time.monotonic() - self._rose <= within

    def _look(self) -> None:
        before, self._seen = self._seen, self._count()
        self._looked = time.monotonic()
        if self._seen > before:
            self._rose = self._looked

    def _count(self) -> int:
        try:
            found = re.search(rb"^oom_kill (\d+)$", self._vmstat.read_bytes(), re.MULTILINE)
        except OSError:
            return 0  # without the counter, only the exit code can tell
        return int(found[1]) if found else 0


def of_run(run: Run, *, limit: str, disk_full: bool, memory_kills: MemoryKills) -> Ended:
    """The end of a program. `limit` says which limit it was, if its time ran out."""
    if run.exit_code is None:
        reason = f"{limit}; the program hangs in the kernel and could not be ended"
        return Ended(outcome=Outcome.TIMEOUT, reason=reason, seconds=round(run.seconds, 3))
    code = run.exit_code if run.exit_code >= 0 else 128 - run.exit_code
    outcome, reason = Outcome.PROGRAM_ERROR, f"the program ended with exit code {code}"
    if run.timed_out:
        outcome, reason = Outcome.TIMEOUT, limit
    elif run.exit_code == 0:
        outcome, reason = Outcome.DONE, ""
    elif disk_full:
        outcome, reason = Outcome.DISK_FULL, f"the scratch disk is full; exit code {code}"
    elif run.exit_code == _SHELL_KILLED or (
        run.exit_code == -signal.SIGKILL and memory_kills.rose(within=run.seconds)
    ):
        outcome, reason = Outcome.OUT_OF_MEMORY, "the program was killed for want of memory"
    elif run.exit_code < 0:
        reason = f"the program was ended by {_signal_name(-run.exit_code)}"
    return Ended(outcome=outcome, reason=reason, exit_code=code, seconds=round(run.seconds, 3))


def of_no_start(error: OSError) -> Ended:
    """A program that did not start: its own fault, or that of a machine which has no room for
    another process, and may have by and by.
    """
    outcome = Outcome.INFRASTRUCTURE if error.errno in _NO_ROOM else Outcome.PROGRAM_ERROR
    return Ended(outcome=outcome, reason=f"the program cannot be started: {error.strerror}")


def of_error(error: Exception) -> Ended | None:
    """What an error on the way means; None = nobody foresaw it."""
    if isinstance(error, Collision):
        return Ended(outcome=Outcome.OUTPUT_COLLISION, reason=str(error))
    if isinstance(error, LeaseLost):
        return Ended(outcome=Outcome.INTERRUPTED, reason=str(error))
    if isinstance(error, BadOutput):
        return Ended(outcome=Outcome.BAD_OUTPUT, reason=str(error))
    if isinstance(error, OSError) and error.errno in _FULL:
        return Ended(outcome=Outcome.DISK_FULL, reason=f"the scratch disk is full: {error}")
    if isinstance(error, (*SERVICE_ERRORS, OSError)):
        return Ended(outcome=Outcome.INFRASTRUCTURE, reason=str(error)[:1000])
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time one without a name
