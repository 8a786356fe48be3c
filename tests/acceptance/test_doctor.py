"""The doctor on the local cloud, as a user with `.local/env` calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from acceptance.cloud import REPOSITORY, Cloud

ON_AWS_ALONE = {"internet", "architecture", "spot quota", "spot role"}


def test_a_job_of_the_local_cloud_passes_and_nothing_is_launched(cloud: Cloud) -> None:
    cloud.create("examined", {"run.sh": "#!/bin/sh\n"})
    command = [sys.executable, "-m", "aws_parallelizer", "doctor", "--job", "examined", "--json"]
    ended = subprocess.run(
        command,
        env={**os.environ, **cloud.env, "PYTHONPATH": f"{REPOSITORY}/worker"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = {one["name"]: one for one in map(json.loads, ended.stdout.splitlines())}
    assert {name for name, one in found.items() if one["verdict"] != "ok"} == ON_AWS_ALONE
    assert {found[name]["verdict"] for name in ON_AWS_ALONE} == {"not checked"}
    assert cloud.instances("examined") == []
