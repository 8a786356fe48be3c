"""A deployed stack changes, or goes, while its jobs work."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3

import inventory
from acceptance.cloud import REPOSITORY, Cloud, zipped
from aws_parallelizer.aws.api import Api
from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.registry import Lease, Registry
from integration.local_ec2 import alive
from waiting import until

FILES = 40
SHARED = ("iam: AWSServiceRoleFor", "s3: aws-parallelizer-")  # other stacks may use these


def run(cloud: Cloud, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m deploy` with the local cloud's settings."""
    return subprocess.run(
        [sys.executable, "-m", "deploy", *arguments],
        env={
            **os.environ,
            **cloud.env,
            "PYTHONPATH": f"{REPOSITORY}/worker:{REPOSITORY}/control",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@contextlib.contextmanager
def reconcile_at_rest(cloud: Cloud) -> Iterator[None]:
    """Where AWS lets a function that is updated finish its run, the emulator kills it; and one that
    dies while it reconciles keeps the others waiting for as long as its lease.
    """
    dynamodb = cloud.client("dynamodb")
    [table] = [name for name in dynamodb.list_tables()["TableNames"] if "parallelizer-" in name]
    registry = Registry(Table(dynamodb, name=table))

    def take() -> Lease | None:
        return registry.take_lease("reconcile", owner="test", now=datetime.now(UTC), seconds=310)

    lease = until(take, seconds=60, what="no reconcile runs")
    yield
    assert lease
    registry.give_back("reconcile", lease, now=datetime.now(UTC))


def everything(cloud: Cloud) -> set[str]:
    found = inventory.take(cloud.env["AWS_ENDPOINT_URL"], cloud.env["AWS_ENDPOINT_URL_EC2"])
    return {each for each in found if not each.startswith(SHARED)}


def test_an_update_of_the_stack_under_a_running_job_loses_nothing(
    cloud: Cloud, everyones: Path
) -> None:
    ran, over = everyones / "ran", everyones / "over"
    program = (
        f"#!/bin/sh\nwhile [ ! -e {over} ]; do sleep 0.2; done\n"
        f'echo "$1" >> {ran}\necho "$1" > "$1.out"\necho "$1.out"\n'
    )
    cloud.create("updated", {"run.sh": program}, maxInstances=2, numThreads=2, idleTimeout=5)
    names = [f"{number:02}.txt" for number in range(FILES)]
    cloud.put("updated", dict.fromkeys(names[: FILES // 2], b"x"))
    until(lambda: cloud.counts("updated")["running"] >= 2, seconds=90, what="tasks run")

    with reconcile_at_rest(cloud):
        changed = run(cloud, "deploy", "EmptyReadings=4")
    assert changed.returncode == 0, changed.stdout + changed.stderr
    assert "UPDATE_COMPLETE" in changed.stdout
    assert cloud.counts("updated")["running"] >= 2
    cloud.put("updated", dict.fromkeys(names[FILES // 2 :], b"x"))
    over.touch()

    counts = cloud.wait_until_ended("updated", FILES, seconds=180)
    assert counts == {"queued": 0, "running": 0, "done": FILES, "failed": 0, "skipped": 0}
    assert sorted(ran.read_text().split()) == names
    assert {task["attempts"] for task in cloud.tasks("updated")} == {1}
    assert set(cloud.outputs("updated")) == {f"{name}.out" for name in names}
    cloud.wait_until_gone("updated")


def test_nothing_of_a_stack_is_left_when_it_is_destroyed_with_its_workers_at_work(
    cloud: Cloud,
) -> None:
    before = everything(cloud)
    made = run(cloud, "deploy", "--stack", "brief", "NudgeSeconds=1")
    assert made.returncode == 0, made.stdout + made.stderr
    outputs = dict(line.split("=", 1) for line in made.stdout.splitlines() if "=" in line)
    start_work(cloud, outputs)
    [instance] = until(lambda: instances(cloud), seconds=90, what="an instance runs")
    pid = cloud.pid(instance)

    refused = run(cloud, "destroy", "--stack", "brief")
    assert refused.returncode == 1
    assert "job one: 2 open tasks" in refused.stderr
    assert instance in refused.stderr
    assert instances(cloud) == [instance]

    ended = run(cloud, "destroy", "--stack", "brief", "--force", "--buckets")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    until(lambda: not alive(pid), seconds=60, what="the worker is gone")
    assert {each for each in everything(cloud) - before if "parallelizer" not in each} == set()
    again = run(cloud, "destroy", "--stack", "brief")
    assert again.stdout.splitlines() == ["there is nothing of stack brief in us-east-1"]


def start_work(cloud: Cloud, outputs: dict[str, str]) -> None:
    """A job of two files that would take minutes, on spot requests that start machines again."""
    s3 = cloud.client("s3")
    s3.put_object(
        Bucket=outputs["EnvironmentBucket"],
        Key="one.zip",
        Body=zipped({"run.sh": "#!/bin/sh\nsleep 600\n"}),
    )
    base = f"{cloud.env['AWS_ENDPOINT_URL']}/restapis/{outputs['RestAPIId']}/api/_user_request_"
    session = boto3.session.Session("test", "test", region_name=cloud.env["AWS_REGION"])
    Api(session, base=base, region=cloud.env["AWS_REGION"]).put(
        "/jobs/one",
        {
            "environmentZip": "one.zip",
            "analysisProgram": "run.sh",
            "spotType": "persistent",
            "maxInstances": 1,
        },
    )
    for name in ("a", "b"):
        s3.put_object(Bucket=outputs["InputBucket"], Key=f"one/{name}", Body=b"x")


def instances(cloud: Cloud) -> list[str]:
    """The running instances of the stack that goes."""
    wanted = [
        {"Name": "tag:parallelizer:stack", "Values": ["brief"]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    pages = cloud.client("ec2").get_paginator("describe_instances").paginate(Filters=wanted)
    return [str(name) for name in pages.search("Reservations[].Instances[].InstanceId") if name]
