"""A worker that is killed and started again on the same disk."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from machines import Machine, Site
from waiting import until

LEAVE = """#!/bin/sh
mkdir -p shut/inner && touch shut/inner/file && chmod 500 shut/inner && chmod 0 shut
(setsid sh -c 'trap "" TERM; touch begun; while :; do sleep 0.1; date > again; done' &)
until [ -e begun ]; do sleep 0.05; done
echo $$ > EVERYONES/pid
exec sleep 1000
"""


def working_in(folder: Path) -> list[int]:
    root = os.path.realpath(folder)
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            place = str((entry / "cwd").readlink())
        except OSError:
            continue
        if place.startswith(root):
            found.append(int(entry.name))
    return found


def test_what_a_killed_worker_left_is_ended_and_removed_by_the_next(
    endpoint: str, start: Callable[..., Machine], everyones: Path
) -> None:
    site = Site(endpoint, files={"run.sh": LEAVE.replace("EVERYONES", str(everyones))})
    site.put("data/left")
    first = start(site)
    until((everyones / "pid").exists, seconds=30, what="the program runs")
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    tasks = first.folder / "scratch" / "tasks"
    assert len(working_in(tasks)) >= 2
    assert first.left
    again = Machine(site, first.folder)
    try:
        assert again.wait(60) == 0, again.console
        assert working_in(tasks) == []
        assert again.left == []
    finally:
        again.close()
