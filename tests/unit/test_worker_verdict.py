"""What the end of a program means."""

from __future__ import annotations

import errno
import signal
from pathlib import Path

import pytest

from aws_parallelizer.aws.object_errors import ObjectFailure
from aws_parallelizer.core.errors import BadOutput
from aws_parallelizer.core.outcome import Outcome
from aws_parallelizer.worker import verdict
from aws_parallelizer.worker.program import Run
from aws_parallelizer.worker.publishing import Collision
from aws_parallelizer.worker.verdict import MemoryKills


class Kernel:
    """A /proc/vmstat to be turned."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "vmstat"
        self.path.write_text("nr_free_pages 5\noom_kill 7\nother 1\n")

    def kill(self) -> None:
        self.path.write_text("nr_free_pages 5\noom_kill 8\nother 1\n")


@pytest.mark.parametrize(
    ("exit_code", "timed_out", "full", "killed", "outcome", "stored_code"),
    [
        (0, False, False, False, Outcome.DONE, 0),
        (1, False, False, False, Outcome.PROGRAM_ERROR, 1),
        (255, False, False, True, Outcome.PROGRAM_ERROR, 255),
        (1, False, True, False, Outcome.DISK_FULL, 1),
        (-signal.SIGSEGV, False, False, False, Outcome.PROGRAM_ERROR, 139),
        (-signal.SIGKILL, False, False, False, Outcome.PROGRAM_ERROR, 137),
        (-signal.SIGKILL, False, False, True, Outcome.OUT_OF_MEMORY, 137),
        (137, False, False, False, Outcome.OUT_OF_MEMORY, 137),
        (-signal.SIGTERM, True, False, False, Outcome.TIMEOUT, 143),
        (-signal.SIGKILL, True, False, True, Outcome.TIMEOUT, 137),
        (0, True, False, False, Outcome.TIMEOUT, 0),
        (None, True, False, True, Outcome.TIMEOUT, None),
    ],
)
def test_each_end_has_its_outcome(
    tmp_path: Path,
    exit_code: int | None,
    timed_out: bool,
    full: bool,
    killed: bool,
    outcome: Outcome,
    stored_code: int | None,
) -> None:
    kernel = Kernel(tmp_path)
    kills = MemoryKills(kernel.path)
    if killed:
        kernel.kill()
    ended = verdict.of_run(
        Run(exit_code, 1.5, timed_out), limit="too long", disk_full=full, memory_kills=kills
    )
    assert (ended.outcome, ended.exit_code, ended.seconds) == (outcome, stored_code, 1.5)


def test_two_programs_that_are_killed_together_are_both_out_of_memory(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    kills = MemoryKills(kernel.path)
    kernel.kill()
    run = Run(-signal.SIGKILL, 5.0, timed_out=False)
    for _ in range(2):
        ended = verdict.of_run(run, limit="", disk_full=False, memory_kills=kills)
        assert ended.outcome == Outcome.OUT_OF_MEMORY


def test_a_program_that_began_after_the_kernel_last_killed_was_killed_by_somebody_else(
    tmp_path: Path,
) -> None:
    kernel = Kernel(tmp_path)
    kills = MemoryKills(kernel.path)
    kernel.kill()
    assert kills.rose(within=5.0)
    later = Run(-signal.SIGKILL, 0.0, timed_out=False)
    ended = verdict.of_run(later, limit="", disk_full=False, memory_kills=kills)
    assert (ended.outcome, ended.exit_code) == (Outcome.PROGRAM_ERROR, 137)


def test_a_signal_is_named(tmp_path: Path) -> None:
    kills = MemoryKills(tmp_path / "no such file")
    ended = verdict.of_run(
        Run(-signal.SIGSEGV, 0, timed_out=False), limit="", disk_full=False, memory_kills=kills
    )
    assert ended.reason == "the program was ended by SIGSEGV"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Collision("x"), Outcome.OUTPUT_COLLISION),
        (BadOutput("x"), Outcome.BAD_OUTPUT),
        (OSError(errno.ENOSPC, "x"), Outcome.DISK_FULL),
        (OSError(errno.EIO, "x"), Outcome.INFRASTRUCTURE),
        (ObjectFailure("x"), Outcome.INFRASTRUCTURE),
    ],
)
def test_each_error_has_its_outcome(error: Exception, outcome: Outcome) -> None:
    ended = verdict.of_error(error)
    assert ended is not None
    assert ended.outcome == outcome


def test_an_error_nobody_foresaw_is_told_as_one() -> None:
    assert verdict.of_error(KeyError("x")) is None
