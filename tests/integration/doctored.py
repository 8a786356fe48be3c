"""A deployed stack, and a user's terminal on which the doctor is called."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from aws_parallelizer.aws import clients
from aws_parallelizer.cli.main import app
from stackhand import Stack

STACK = "doctored"
IMAGE_PARAMETER = "/doctored/image-id"
READS = re.compile(r"(Get|Head|List|Describe|Decode)[A-Z]")

Findings = dict[str, dict[str, str]]


class Place(NamedTuple):
    """A deployed stack, and the EC2 beside it."""

    stack: Stack
    ec2: Any
    ec2_endpoint: str
    image: str


class Desk(NamedTuple):
    """A user's terminal."""

    place: Place
    folder: Path
    calls: list[tuple[str, dict[str, Any]]]
    answers: dict[str, Callable[[], dict[str, Any]]]
    environment: pytest.MonkeyPatch

    def run(self, *arguments: str, code: int = 0) -> Findings:
        """The findings by their names; every call is seen to have changed nothing."""
        clients.session.cache_clear()
        _listen(self)
        result = CliRunner().invoke(app, ["doctor", "--stack", STACK, "--json", *arguments])
        clients.session.cache_clear()
        assert result.exit_code == code, result.output
        for operation, sent in self.calls:
            dry = operation == "RunInstances" and sent["DryRun"] == "true"
            assert dry or READS.match(operation), operation
        found = [json.loads(line) for line in result.stdout.splitlines()]
        return {one["name"]: one for one in found}

    def file(self, lines: str) -> str:
        path = self.folder / "parameters.txt"
        path.write_text(lines)
        return str(path)

    def refuse(self, operation: str, code: str, *, message: str = "", **headers: str) -> None:
        """From now on the call is answered so."""
        self.answers[operation] = lambda: {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPHeaders": headers, "HTTPStatusCode": 403},
        }


class Answer(NamedTuple):
    """As much of an HTTP answer as botocore looks at."""

    status_code: int


def _listen(desk: Desk) -> None:
    def heard(model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, Any] | None:
        body = params["body"]
        desk.calls.append((model.name, body if isinstance(body, dict) else {}))
        planned = desk.answers.get(model.name)
        if planned is None:
            return None
        answer = planned()
        return Answer(403 if "Error" in answer else 200), answer

    clients.session().events.register("before-call", heard)
