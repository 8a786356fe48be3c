"""The local cloud itself: second start, reclaim."""

from __future__ import annotations

import os
import subprocess
import sys

from acceptance.cloud import REPOSITORY, Cloud
from waiting import until

QUICK = '#!/bin/sh\nsleep 1\ncp "$1" out.txt\necho out.txt\n'


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
    cloud: Cloud,
) -> None:
    cloud.create("reclaimed", {"run.sh": QUICK}, maxInstances=1, numThreads=1, idleTimeout=5)
    cloud.put("reclaimed", {f"dir{i}/{i}.txt": b"x" for i in range(12)})
    until(lambda: cloud.counts("reclaimed")["done"], seconds=60, what="a task is done")
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
    # 120 s is the lease: sooner than that, so the leases were given back and did not run out.
    counts = cloud.wait_until_ended("reclaimed", 12, seconds=100)
    assert counts["done"] == 12
    assert {task["attempts"] for task in cloud.tasks("reclaimed")} == {1}
    assert len({task["instance"] for task in cloud.tasks("reclaimed")}) >= 2
    cloud.wait_until_gone("reclaimed")
