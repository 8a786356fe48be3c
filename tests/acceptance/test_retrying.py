"""A program that fails for some files until it is mended: they are retried, and all end done."""

from __future__ import annotations

import os
import subprocess
import sys

from acceptance.cloud import Cloud

# What it makes says which program made it; a file that holds "odd" names an output that is not its.
PROGRAM = """#!/bin/sh
if grep -q odd "$1"; then echo /etc/passwd; exit 0; fi
{check}
echo "{version} of $(cat "$1")" > made
echo made
"""
BROKEN = PROGRAM.format(check='if grep -q hard "$1"; then exit 3; fi', version="first")
MENDED = PROGRAM.format(check="", version="second")


def retry(cloud: Cloud, *arguments: str) -> str:
    """What the command says."""
    ended = subprocess.run(
        [sys.executable, "-m", "aws_parallelizer", "retry", *arguments],
        env={**os.environ, **cloud.env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_tasks_that_failed_are_retried_by_outcome_with_the_mended_program_and_done_once(
    cloud: Cloud,
) -> None:
    cloud.create("mended", {"run.sh": BROKEN}, maxInstances=1, maxAttempts=2, idleTimeout=5)
    hard = [f"hard/{i}/a b+c%20é.txt" for i in range(12)]
    easy = [f"easy/{i}/x" for i in range(12)]
    files = dict.fromkeys(hard, b"hard") | dict.fromkeys(easy, b"easy")
    cloud.put("mended", {**files, "odd/x": b"odd"})
    counts = cloud.wait_until_ended("mended", 25, seconds=120)
    assert (counts["done"], counts["failed"]) == (12, 13)
    cloud.wait_until_gone("mended")  # a worker uses one version of its environment all its life

    cloud.create("mended", {"run.sh": MENDED}, maxInstances=1, maxAttempts=2, idleTimeout=5)
    assert retry(cloud, "mended", "--outcome", "program-error") == (
        "Tasks: 12 back in the queue.\n"
    )
    assert retry(cloud, "mended", "--outcome", "program-error", "--prefix", "mended/easy/") == (
        "Tasks: 0 back in the queue.\n"
    )
    counts = cloud.wait_until_ended("mended", 25, seconds=120)
    assert (counts["done"], counts["failed"]) == (24, 1)

    tasks = {task["key"].removeprefix("mended/"): task for task in cloud.tasks("mended")}
    assert {(tasks[key]["attempts"], tasks[key]["retries"]) for key in hard} == {(1, 1)}
    assert {(tasks[key]["attempts"], tasks[key]["retries"]) for key in easy} == {(1, 0)}
    assert (tasks["odd/x"]["outcome"], tasks["odd/x"]["retries"]) == ("bad-output", 0)
    assert cloud.outputs("mended") == {
        **{key.rpartition("/")[0] + "/made": b"second of hard\n" for key in hard},
        **{key.rpartition("/")[0] + "/made": b"first of easy\n" for key in easy},
        **{key: body for key, body in cloud.outputs("mended").items() if key.startswith(".logs/")},
    }
    cloud.wait_until_gone("mended")
