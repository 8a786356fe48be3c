"""A local cloud of one's own: whatever ends it, nothing of it is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from acceptance.cloud import Cloud
from waiting import until

SLOW = "#!/bin/sh\nsleep 600\n"


def alive_under(folder: Path) -> list[int]:
    """Pids of processes whose command line, environment or folder names `folder`."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            traces = (
                process.joinpath("cmdline").read_bytes() + process.joinpath("environ").read_bytes()
            )
            traces += os.fsencode((process / "cwd").readlink())
        except OSError:
            continue  # it ended while we looked
        if os.fsencode(folder) in traces:
            found.append(int(process.name))
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_every_process_that_it_started(tmp_path: Path, how: int) -> None:
    cloud = Cloud(tmp_path / "own").ready()
    cloud.create("busy", {"run.sh": SLOW}, maxInstances=1)
    cloud.put("busy", {"a.txt": b"x"})
    until(lambda: cloud.counts("busy")["running"], seconds=60, what="a task runs")
    cloud.stop(how)
    until(lambda: not alive_under(tmp_path / "own"), seconds=60, what="no process is left")
    assert not (tmp_path / "own" / "local" / "env").exists()
