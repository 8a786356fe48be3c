"""Running a program: real processes, their pipes, their groups, their ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import time
from pathlib import Path

import pytest

from aws_parallelizer.worker import program
from aws_parallelizer.worker.program import Run
from aws_parallelizer.worker.transcript import Transcript
from pipelines import until_true
from waiting import until

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


class Bench:
    """A folder with one script, and what it writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = Transcript(lambda _line: False, log=None)

    async def run(
        self, script: str, *arguments: str, limit: float | None = 20, head: str = "#!/bin/sh\n"
    ) -> Run:
        path = self.folder / "run.sh"
        path.write_text(head + script)
        path.chmod(0o755)
        return await program.run(
            ["./run.sh", *arguments],
            folder=self.folder,
            environment=ENVIRONMENT,
            transcript=self.written,
            limit=limit,
            programs=set(),
            become=contextlib.nullcontext(),
        )

    def is_running(self, name: str) -> bool:
        """Whether the process whose id the script wrote to a file is there, and no zombie."""
        pid = (self.folder / name).read_text().strip()
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        return False


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("script", "exit_code"),
    [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -9), ("kill -SEGV $$", -11), ("exit 137", 137)],
)
def test_defect_1_the_exit_code_is_read(bench: Bench, script: str, exit_code: int) -> None:
    ran = asyncio.run(bench.run(script))
    assert (ran.exit_code, ran.timed_out) == (exit_code, False)


def test_defect_11_arguments_go_to_no_shell(bench: Bench) -> None:
    name = "it's; rm -rf $(x) `y` \n*"
    asyncio.run(bench.run('printf "%s" "$1"', name))
    assert bench.written.last_output() == name


def test_standard_input_is_empty(bench: Bench) -> None:
    assert asyncio.run(bench.run("cat; echo end")).exit_code == 0
    assert bench.written.last_output() == "end\n"


def test_a_script_without_a_first_line_runs_as_in_a_shell(bench: Bench) -> None:
    assert asyncio.run(bench.run("echo $1; exit 4", "word", head="")).exit_code == 4
    assert bench.written.last_output() == "word\n"


def test_a_program_that_cannot_be_started_says_so(bench: Bench) -> None:
    with pytest.raises(OSError, match="No such file"):
        asyncio.run(bench.run("", head="#!/no/such/interpreter\n"))


def test_defect_2_both_pipes_are_drained_whatever_is_written_to_them(bench: Bench) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    flood = "head -c 10000000 /dev/zero | tr '\\0' '\\n'"
    ran = asyncio.run(bench.run(f"{flood} >&2; {flood}; {flood} >&2; echo out"))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert ran.exit_code == 0
    assert bench.written.names.close() == [b"out"]
    assert after - before < 8 * 1024  # KiB


def test_defect_3_each_line_of_standard_output_stands_by_itself(bench: Bench) -> None:
    asyncio.run(bench.run("echo one; echo two; echo no >&2; printf three"))
    assert bench.written.names.close() == [b"one", b"two", b"three"]


def test_defect_10_a_program_that_takes_too_long_is_ended(bench: Bench) -> None:
    ran = asyncio.run(bench.run("echo begun; sleep 100", limit=0.3))
    assert (ran.exit_code, ran.timed_out) == (-signal.SIGTERM, True)
    assert bench.written.last_output() == "begun\n"


def test_one_that_ignores_the_request_is_killed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "GRACE_SECONDS", 0.3)
    ran = asyncio.run(bench.run("trap '' TERM; while :; do sleep 0.05; done", limit=0.3))
    assert (ran.exit_code, ran.timed_out) == (-signal.SIGKILL, True)


def test_a_time_limit_ends_the_whole_process_group(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "GRACE_SECONDS", 0.3)
    daemon = "(trap '' TERM; echo $$ > daemon.pid; exec sleep 100) &"
    ran = asyncio.run(bench.run(f"{daemon} sh -c 'echo $$ > child.pid; exec sleep 100'", limit=0.5))
    assert ran.timed_out
    until(lambda: not bench.is_running("child.pid"), seconds=60)
    until(lambda: not bench.is_running("daemon.pid"), seconds=60)


def test_one_that_hangs_in_the_kernel_is_given_up_and_keeps_nobody_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if no signal reached it, SIGKILL neither.
    monkeypatch.setattr(program, "_signal", lambda *_signal: None)
    monkeypatch.setattr(program, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(program, "_DEATH_PAUSES", (0.1, 0.2))

    async def story() -> Run:
        running = asyncio.create_task(bench.run("echo $$ > pid; exec sleep 100", limit=0.3))
        await until_true((bench.folder / "pid").exists)
        turns = 0
        while not running.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert turns > 10
        return await running

    ran = asyncio.run(story())
    assert (ran.exit_code, ran.timed_out) == (None, True)
    pid = int((bench.folder / "pid").read_text())
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[0] == pid


def test_a_daemon_that_holds_the_pipes_is_not_waited_for(bench: Bench) -> None:
    started = time.monotonic()
    daemon = "sh -c 'trap \"\" TERM; echo $$ > pid; while :; do echo x; sleep 0.01; done' &"
    ran = asyncio.run(bench.run(f"{daemon} until [ -s pid ]; do sleep 0.01; done; echo out"))
    assert ran == Run(0, ran.seconds, timed_out=False)
    assert time.monotonic() - started < 60
    assert b"out" in bench.written.names.close()
    until(lambda: not bench.is_running("pid"), seconds=60)


def test_a_run_that_is_cancelled_leaves_no_process(bench: Bench) -> None:
    async def story() -> None:
        running = asyncio.create_task(bench.run("echo $$ > pid; sleep 100"))
        await until_true((bench.folder / "pid").exists)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(story())
    assert not bench.is_running("pid")


def test_the_programs_group_is_its_own_and_its_session_the_workers(bench: Bench) -> None:
    asyncio.run(bench.run("cut -d' ' -f1,5,6 < /proc/$$/stat; echo $$"))
    stat, pid = bench.written.last_output().split("\n")[:2]
    _, group, session = stat.split()
    assert group == pid
    own = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    assert session == own[3]
