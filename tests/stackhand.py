"""A stack deployed to ministack by the real code, and a hand on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3

import emulator
from aws_parallelizer.aws.api import Api

ROOT = Path(__file__).parent.parent
PATH = f"{ROOT / 'worker'}{os.pathsep}{ROOT / 'control'}"


def run_deploy(endpoint: str, stack: str, *parameters: str) -> subprocess.CompletedProcess[str]:
    """`python -m deploy deploy` against the endpoint."""
    return run(endpoint, "deploy", "--stack", stack, *parameters)


def run(endpoint: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python -m deploy` against the endpoint, with `environ` added."""
    environment = {
        **os.environ,
        **emulator.CREDENTIALS,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": emulator.REGION,
        "PYTHONPATH": PATH,
        **environ,
    }
    return subprocess.run(
        [sys.executable, "-m", "deploy", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class Stack:
    """A deployed stack."""

    def __init__(self, endpoint: str, name: str, *parameters: str) -> None:
        self.endpoint, self.name = endpoint, name
        ended = run_deploy(endpoint, name, *parameters)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        self.said = ended.stdout
        self.refresh()

    def refresh(self) -> None:
        """Read the outputs anew."""
        [described] = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in described["Outputs"]}
        self.base = f"{self.endpoint}/restapis/{self.outputs['RestAPIId']}/api/_user_request_"

    def client(self, service: str) -> Any:
        return emulator.client(service, self.endpoint)

    @property
    def api(self) -> Api:
        session = boto3.session.Session("test", "test", region_name=emulator.REGION)
        return Api(session, base=self.base, region=emulator.REGION)

    def put(self, key: str, body: bytes = b"x") -> None:
        self.client("s3").put_object(Bucket=self.outputs["InputBucket"], Key=key, Body=body)

    def tasks(self, job: str) -> dict[str, dict[str, Any]]:
        """The job's tasks by key, through the API."""
        pages = self.api.pages(f"/jobs/{job}/tasks", limit="1000")
        return {task["key"]: task for page in pages for task in page["tasks"]}

    def messages(self, job: str) -> int:
        """How many messages the job's queue holds, whatever their state."""
        return sum(self.api.get(f"/jobs/{job}")["status"]["queue"].values())
