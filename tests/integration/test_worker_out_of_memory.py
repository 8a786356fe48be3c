"""A worker whose programs want more memory than there is, so that the kernel kills."""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aws_parallelizer.core.outcome import State
from machines import Machine, Site
from waiting import until

LIMIT_BYTES = 96 * 1024 * 1024
GROUPS = Path("/sys/fs/cgroup")
# Of its processes each is smaller than the worker, and all together are too large.
HUNGRY = """#!/bin/sh
if [ "$1" = hungry ] && [ $PARALLELIZER_ATTEMPT = 1 ]; then
    for each in 1 2 3 4 5 6 7 8 9 10; do
        ( dd if=/dev/zero bs=20M count=1; [ $? = 137 ] && touch killed ) 2> dd.$each | sleep 60 &
    done
    until [ -e killed ]; do sleep 0.1; done
    exit 137
fi
cp "$1" "$1.out" && echo "$1.out"
"""


class MemoryGroup:
    """A control group whose processes have so much memory together."""

    def __init__(self, parent: Path, limit: str) -> None:
        self._folder = parent / f"parallelizer-test-{uuid.uuid4().hex[:8]}"
        self._folder.mkdir()
        (self._folder / limit).write_text(str(LIMIT_BYTES))

    def take(self, pid: int) -> None:
        """A process, and those that it will start."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    def close(self) -> None:
        """End what is left in it."""
        until(self._is_empty, seconds=60)
        self._folder.rmdir()

    def _is_empty(self) -> bool:
        left = (self._folder / "cgroup.procs").read_text().split()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        return not left


@pytest.fixture
def little_memory() -> Iterator[MemoryGroup]:
    """The first kind of control group that can be made here."""
    for parent, limit in ((GROUPS, "memory.max"), (GROUPS / "memory", "memory.limit_in_bytes")):
        if not (parent / "cgroup.procs").exists():
            continue  # no file system of control groups
        with contextlib.suppress(OSError):
            group = MemoryGroup(parent, limit)
            break
    else:
        pytest.skip("NOT TRIED: no control group of memory can be made here")
    yield group
    group.close()


def test_the_kernel_kills_the_programs_that_want_too_much_memory_and_not_their_worker(
    endpoint: str, start: Callable[..., Machine], little_memory: MemoryGroup
) -> None:
    site = Site(endpoint, files={"run.sh": HUNGRY}, idleTimeout=2, numThreads=4)
    machine = start(site)
    little_memory.take(machine.process.pid)
    for name in ("hungry", *"abcdef"):
        site.put(f"data/{name}", name.encode())
    assert machine.wait(90) == 0, machine.console
    row = site.row("data/hungry")
    assert (row.state, row.attempts, row.memory_kills) == (State.DONE, 2, 1), row
    for name in "abcdef":
        row = site.row(f"data/{name}")
        assert (row.state, row.attempts) == (State.DONE, 1), row
        assert site.output(f"results/{name}.out") == name.encode()
