"""A user who types commands, with a fake API and real buckets behind them."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

import emulator
from aws_parallelizer.aws import clients
from aws_parallelizer.cli.main import app
from fakes.http_api import HttpApi, serving

COUNTS = {"queued": 1, "running": 1, "done": 2, "failed": 1, "skipped": 0}

INSTANCE = {"id": "i-1", "type": "t3.small", "zone": "us-east-1a", "state": "running"}


class Stage(NamedTuple):
    """A user's terminal, with the fake API and the buckets behind it."""

    api: HttpApi
    s3: Any
    buckets: dict[str, str]

    def run(self, *arguments: str, code: int = 0, typed: str = "") -> Result:
        """Run a command, and see how it ends."""
        result = CliRunner().invoke(app, list(arguments), input=typed)
        assert result.exit_code == code, result.output
        return result

    def keys(self, name: str) -> set[str]:
        """What lies in a bucket."""
        listed = self.s3.list_objects_v2(Bucket=self.buckets[name])
        return {entry["Key"] for entry in listed.get("Contents", [])}


@contextlib.contextmanager
def opened(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The settings of this process are the user's."""
    s3 = emulator.client("s3", endpoint)
    buckets = {kind: f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("input", "output", "env")}
    for bucket in buckets.values():
        s3.create_bucket(Bucket=bucket)
    document = {
        "job": "j",
        "parameters": {
            "inputBucket": buckets["input"],
            "inputPrefix": "j/",
            "outputBucket": buckets["output"],
            "outputPrefix": "out/",
        },
        "status": {
            "state": "active",
            "counts": COUNTS,
            "line": "2 at work",
            "instances": [INSTANCE],
            "instanceCount": 1,
        },
    }
    task = {"key": "j/[x]", "state": "failed", "attempts": 3, "lastOutput": "bad\x1b[2J\nthing"}
    answers: dict[str, list[tuple[int, Any]]] = {
        "GET /api/jobs": [(200, {"jobs": [document]})],
        "GET /api/jobs/j": [(200, document)],
        "PUT /api/jobs/j": [(201, document)],
        "DELETE /api/jobs/j": [(202, {})],
        "POST /api/jobs/j/enqueue": [(202, {})],
        "POST /api/jobs/j/retry": [(202, {"retry": "r1"}), (202, {"retry": "r2"})],
        "POST /api/jobs/j/instances": [(202, {})],
        "DELETE /api/jobs/j/instances": [(202, {})],
        "POST /api/jobs/j/pause": [(202, {"message": "nothing is launched"})],
        "POST /api/jobs/j/resume": [(202, {"message": "instances are launched"})],
        "GET /api/jobs/j/tasks": [(200, {"tasks": [task], "next": "t"}), (200, {"tasks": [task]})],
        "GET /api/jobs/j/task": [(200, task)],
    }
    with serving(answers) as api:
        for name, value in {
            **emulator.CREDENTIALS,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": emulator.REGION,
            "PARALLELIZER_API": api.base,
            "PARALLELIZER_ENVIRONMENT_BUCKET": buckets["env"],
        }.items():
            monkeypatch.setenv(name, value)
        clients.session.cache_clear()
        yield Stage(api, s3, buckets)
        clients.session.cache_clear()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Files below the folder, by their names; the folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    """All files below the folder, by their names."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
