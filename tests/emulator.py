"""ministack as a process of its own, for tests that need S3, SQS and DynamoDB over real HTTP."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.credentials import Credentials

from local import processes
from waiting import until

REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


# Below the ports that connections get by themselves: what is free stays so until it is used.
_FIRST_PORT, _PORTS_EACH = 10_000, 1_000


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now, nor another test process will."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw9").removeprefix("gw"))
    while True:
        port = _FIRST_PORT + _PORTS_EACH * (worker % 10) + secrets.randbelow(_PORTS_EACH)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def listening(port: int) -> bool:
    """Whether something answers on the port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """Run ministack with its files in `folder`; yields its endpoint."""
    port = free_port()
    environment = {
        **os.environ,
        **CREDENTIALS,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "TMPDIR": str(folder),
        "IOT_MTLS_ENABLED": "0",  # it would listen on every interface
    }
    with (folder / "ministack.log").open("wb") as log:
        command = processes.tethered([sys.executable, "-m", "ministack"], parting=signal.SIGTERM)
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until(
            lambda: listening(port) or process.poll() is not None,
            seconds=60,
            what="ministack listens",
        )
        assert process.poll() is None, (folder / "ministack.log").read_text(errors="replace")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def client(service: str, endpoint: str) -> Any:
    """A plain boto3 client of an emulator."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def credentials() -> Credentials:
    """What `client` signs with."""
    return Credentials("test", "test")


def make_table(dynamodb: Any, name: str) -> None:
    """The ledger's table, as the stack makes it."""
    attributes = ("pk", "sk", "state", "since")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": "S"} for a in attributes],
        KeySchema=_keys("pk", "sk"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "byState",
                "KeySchema": _keys("state", "since"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )


def _keys(hashed: str, ranged: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": hashed, "KeyType": "HASH"},
        {"AttributeName": ranged, "KeyType": "RANGE"},
    ]
