"""A reclaim of the local EC2 reaches the deployed control plane by the rule that the stack made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.registry import Registry
from integration.local_ec2 import Server
from stackhand import Stack
from waiting import until


@pytest.fixture(scope="module")
def stack(endpoint: str) -> Stack:
    return Stack(endpoint, "warned", "NudgeSeconds=1")


@pytest.fixture
def server(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    running = Server(tmp_path)
    try:
        yield running
    finally:
        running.end()


@pytest.mark.parametrize("tags", [None, []])
def test_a_reclaim_marks_its_instance_whoevers_it_is(
    stack: Stack, server: Server, tags: list[dict[str, str]] | None
) -> None:
    name = server.run(kind="one-time", tags=tags)["InstanceId"]
    server.wait(name, "running")
    status, text = server.reclaim({"instance": name, "notice": 60})
    assert status == 200, text
    registry = Registry(Table(stack.client("dynamodb"), name=stack.outputs["LedgerTable"]))
    mark = until(lambda: registry.mark(name), seconds=30, what="the instance is marked")
    assert mark.action == "terminate"
