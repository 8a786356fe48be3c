"""A stack deployed to ministack by the real code, and a hand on it."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import boto3
import pytest

import emulator
from aws_parallelizer.aws import clients
from aws_parallelizer.aws.api import Api
from deploy import __main__ as command
from deploy import package

_PACKAGE = package.package
ROOT = Path(__file__).parent.parent
PATH = f"{ROOT / 'worker'}{os.pathsep}{ROOT / 'control'}"


def run_deploy(endpoint: str, stack: str, *parameters: str) -> subprocess.CompletedProcess[str]:
    """What `python -m deploy deploy` does, in this process and with a package that is made once:
    to make it takes longer than all the rest.
    """
    said, complained = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patched,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(complained),
    ):
        for name, value in settings(endpoint).items():
            patched.setenv(name, value)
        patched.setattr(clients, "session", functools.cache(inspect.unwrap(clients.session)))
        patched.setattr(package, "package", _write_package)
        arguments = ["deploy", "--stack", stack, *parameters]
        try:
            code = command.main(arguments)
        except SystemExit as error:  # argparse's
            code = int(error.code or 0)
    return subprocess.CompletedProcess(arguments, code, said.getvalue(), complained.getvalue())


def _write_package(out: Path) -> None:
    for name, content in _packaged().items():
        (out / name).write_bytes(content)


@functools.cache
def _packaged() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        _PACKAGE(Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def settings(endpoint: str) -> dict[str, str]:
    """The AWS settings of a user who works with the endpoint."""
    return {
        **emulator.CREDENTIALS,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": emulator.REGION,
    }


def run(endpoint: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python -m deploy` against the endpoint, with `environ` added."""
    return subprocess.run(
        [sys.executable, "-m", "deploy", *arguments],
        env={**os.environ, **settings(endpoint), "PYTHONPATH": PATH, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class Stack:
    """A deployed stack."""

    def __init__(self, endpoint: str, name: str, *parameters: str) -> None:
        self.endpoint, self.name = endpoint, name
        self._clients: dict[str, Any] = {}
        ended = run_deploy(endpoint, name, *parameters)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        self.said = ended.stdout
        self.refresh()

    def refresh(self) -> None:
        """Read the outputs anew."""
        [described] = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in described["Outputs"]}
        self.base = f"{self.endpoint}/restapis/{self.outputs['RestAPIId']}/api/_user_request_"
        session = boto3.session.Session("test", "test", region_name=emulator.REGION)
        self.api = Api(session, base=self.base, region=emulator.REGION)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = emulator.client(service, self.endpoint)
        return self._clients[service]

    def put(self, key: str, body: bytes = b"x") -> None:
        self.client("s3").put_object(Bucket=self.outputs["InputBucket"], Key=key, Body=body)

    def tasks(self, job: str) -> dict[str, dict[str, Any]]:
        """The job's tasks by key, through the API."""
        pages = self.api.pages(f"/jobs/{job}/tasks", limit="1000")
        return {task["key"]: task for page in pages for task in page["tasks"]}

    def messages(self, job: str) -> int:
        """How many messages the job's queue holds, whatever their state."""
        return sum(self.api.get(f"/jobs/{job}")["status"]["queue"].values())
