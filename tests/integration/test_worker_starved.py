"""Workers without room: for processes, for open files, on the disk."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aws_parallelizer.core.outcome import Outcome, State
from machines import Machine, Site
from waiting import until

COPY = {"run.sh": '#!/bin/sh\ncp "$1" "$1.out" && echo "$1.out"\n'}
FILES = 20
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TRIED: it takes root")


def ready(site: Site, machine: Machine) -> None:
    until(
        lambda: (beat := site.registry.beat(site.name, machine.instance)) and beat.ready,
        seconds=30,
        what="the worker is ready",
    )


@needs_root
def test_a_process_limit_fails_tasks_with_the_reason_and_ends_no_worker(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=COPY, idleTimeout=5, maxAttempts=1)
    machine = start(site)
    ready(site, machine)
    pid = machine.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NPROC)
    resource.prlimit(pid, resource.RLIMIT_NPROC, (0, before[1]))
    site.put("data/a")
    until(lambda: site.row("data/a").state == State.FAILED, seconds=30)
    row = site.row("data/a")
    # Whether the program itself starts depends on what else its user has running.
    if row.outcome == Outcome.INFRASTRUCTURE:
        assert row.reason == "the program cannot be started: Resource temporarily unavailable"
    else:
        assert (row.outcome, row.exit_code) == (Outcome.PROGRAM_ERROR, 2)
        assert "Cannot fork" in row.last_output
    resource.prlimit(pid, resource.RLIMIT_NPROC, before)
    site.put("data/b")
    assert machine.wait() == 0, machine.console
    assert site.row("data/b").state == State.DONE


def test_a_worker_that_runs_out_of_file_descriptors_blames_no_program_and_goes_on(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=COPY, idleTimeout=10, numThreads=4)
    machine = start(site)
    ready(site, machine)
    pid = machine.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    in_use = max(int(fd.name) for fd in Path(f"/proc/{pid}/fd").iterdir()) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (in_use + 2, before[1]))
    for number in range(FILES):
        site.put(f"data/{number}", b"x" * number)
    until(lambda: "Too many open files" in machine.console, seconds=30)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert machine.wait(150) == 0, machine.console
    for number in range(FILES):
        row = site.row(f"data/{number}")
        assert row.state == State.DONE, row
        assert site.output(f"results/{number}.out") == b"x" * number
    assert Outcome.PROGRAM_ERROR not in machine.console
    assert site.messages() == 0


@pytest.fixture
def small_disk(everyones: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    disk = everyones / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("NOT TRIED: no file system can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@needs_root
def test_a_disk_without_room_for_the_environment_is_one_clear_error(
    endpoint: str, start: Callable[..., Machine], small_disk: Path
) -> None:
    site = Site(endpoint, files=COPY | {"large": os.urandom(2_000_000).hex()})
    machine = start(site, settings={"PARALLELIZER_SCRATCH": str(small_disk / "scratch")})
    assert machine.wait() == 1
    [line] = machine.console.splitlines()
    assert "the environment zip cannot be kept: " in line
    assert "No space left on device" in line
    assert machine.is_off
