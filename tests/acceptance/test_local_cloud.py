"""The local cloud itself: second start, reclaim."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from acceptance.cloud import REPOSITORY, Cloud
from waiting import until

# The first to run is quick; the others wait for the notice, or the machine could be done before.
PROGRAM = """#!/bin/sh
mkdir PLACE/first 2>/dev/null || until [ -e PLACE/noticed ]; do sleep 0.1; done
sleep 1
cp "$1" out.txt
echo out.txt
"""


def test_a_second_start_says_that_one_runs_and_does_no_harm(cloud: Cloud) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "local", "up", "--directory", str(cloud.folder / "local")],
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}/worker:{REPOSITORY}/control"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "already" in second.stdout + second.stderr
    assert cloud.call("GET", "/jobs").status == 200


def test_a_spot_notice_releases_what_cannot_finish_and_another_worker_does_it(
    cloud: Cloud, everyones: Path
) -> None:
    program = PROGRAM.replace("PLACE", str(everyones))
    cloud.create("reclaimed", {"run.sh": program}, maxInstances=1, numThreads=1, idleTimeout=5)
    cloud.put("reclaimed", {f"dir{i}/{i}.txt": b"x" for i in range(12)})
    until(lambda: cloud.counts("reclaimed")["done"], seconds=90, what="a task is done")
    [instance] = cloud.instances("reclaimed")
    subprocess.run(
        [
            sys.executable, "-m", "local", "reclaim", instance["InstanceId"], "--notice", "8",
            "--directory", str(cloud.folder / "local"),
        ],
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}/worker:{REPOSITORY}/control"},
        check=True,
        timeout=60,
    )  # fmt: skip
    (everyones / "noticed").touch()
    # 120 s is the lease: sooner than that, so the leases were given back and did not run out.
    counts = cloud.wait_until_ended("reclaimed", 12, seconds=100)
    assert counts["done"] == 12
    assert {task["attempts"] for task in cloud.tasks("reclaimed")} == {1}
    assert len({task["instance"] for task in cloud.tasks("reclaimed")}) >= 2
    cloud.wait_until_gone("reclaimed")
