"""The local EC2 as a process of its own, with a stand-in for the worker, driven by plain boto3."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emulator import CREDENTIALS, client, free_port, listening
from local import disks
from waiting import until

REPOSITORY = Path(__file__).parents[2]

# Obeys the user data: `do=sleep`, `do=poweroff` (after its file `go`), `do=crash`, `do=leave`. Its
# child has a process group of its own, as a worker's programs have.
STAND_IN = """
import json, os, pathlib, shlex, subprocess, sys, time, urllib.error, urllib.request
base = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
def ask(path, method="GET", **headers):
    request = urllib.request.Request(base + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
life = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
status, token = ask("latest/api/token", "PUT", **life)
os.umask(0o022)
child = subprocess.Popen(["sleep", "1000"], process_group=0)
scratch = pathlib.Path(os.environ["PARALLELIZER_SCRATCH"])
(scratch / "boots").open("a").write("x")
(scratch / "environment").mkdir(exist_ok=True)
(scratch / "environment").chmod(0o555)
(scratch / "child").write_text(str(child.pid))
new = scratch / "seen.new"
new.write_text(json.dumps({"environment": dict(os.environ), "token": token, "status": status}))
new.rename(scratch / "seen")
user_data = ask("latest/user-data", **{"X-aws-ec2-metadata-token": token})[1]
print("user data", user_data, flush=True)
wish = dict(line.split("=", 1) for line in user_data.split() if "=" in line).get("do")
if wish in ("crash", "leave"):
    sys.exit({"crash": 3, "leave": 0}[wish])
while not (wish == "poweroff" and (scratch / "go").exists()):
    time.sleep(0.02)  # until the test lets it go
(scratch / "go").unlink()
subprocess.run(shlex.split(os.environ["PARALLELIZER_POWEROFF"]), check=True)
"""

MARK = [{"Key": "parallelizer:job", "Value": "j"}]


class Server:
    """One running local EC2."""

    def __init__(
        self, folder: Path, *, relaunch_seconds: float = 0.5, options: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.image = "ami-local"
        self.port = free_port()
        script = folder / "stand_in.py"
        script.write_text(STAND_IN)
        command = [
            sys.executable, "-m", "local.ec2", "--port", str(self.port),
            "--directory", str(folder), "--command", shlex.join([sys.executable, str(script)]),
            "--relaunch-seconds", str(relaunch_seconds),
            "--images", str(folder / "images"), *options,
        ]  # fmt: skip
        self.log = (folder / "ec2.log").open("wb")
        paths = f"{REPOSITORY}/worker:{REPOSITORY}/control"
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **CREDENTIALS, "PYTHONPATH": paths},
            stdout=self.log,
            stderr=self.log,
        )
        self.endpoint = f"http://127.0.0.1:{self.port}"
        until(lambda: listening(self.port), seconds=60, what="the local EC2 listens")
        self.ec2 = client("ec2", self.endpoint)

    def end(self) -> None:
        """As a service manager does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()
        for disk in self.folder.glob("instances/*/scratch"):
            disks.wipe(disk)

    def run(
        self,
        do: str = "sleep",
        *,
        kind: str | None = None,
        tags: list[dict[str, str]] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """RunInstances of one: `kind` is one-time, persistent or None for on demand."""
        call: dict[str, Any] = {
            "ImageId": self.image,
            "InstanceType": "c5.large",
            "MinCount": 1,
            "MaxCount": 1,
            "UserData": f"job=j\ndo={do}\n",
            "InstanceInitiatedShutdownBehavior": "terminate",
            "TagSpecifications": [{"ResourceType": "instance", "Tags": MARK}] if tags is None
            else tags,
        }  # fmt: skip
        if kind is not None:
            spot = {"SpotInstanceType": kind}
            call["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": spot}
        return dict(self.ec2.run_instances(**{**call, **more})["Instances"][0])

    def instance(self, name: str) -> dict[str, Any]:
        answer = self.ec2.describe_instances(InstanceIds=[name])
        return dict(answer["Reservations"][0]["Instances"][0])

    def state(self, name: str) -> str:
        return str(self.instance(name)["State"]["Name"])

    def wait(self, name: str, state: str, *, seconds: float = 20) -> None:
        until(lambda: self.state(name) == state, seconds=seconds, what=f"{name} is {state}")

    def request(self, name: str) -> dict[str, Any]:
        """A spot request by its id."""
        answer = self.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[name])
        return dict(answer["SpotInstanceRequests"][0])

    def status(self, name: str) -> tuple[str, str]:
        request = self.request(name)
        return request["State"], request["Status"]["Code"]

    def replacement(self, request: str, *, of: str) -> str:
        """The instance that the request launched after `of`."""

        def other() -> str | None:
            found = self.request(request).get("InstanceId")
            return found if found != of else None

        return str(until(other, seconds=60, what=f"{request} launches again"))

    def path(self, instance: str, name: str = "") -> Path:
        return self.folder / "instances" / instance / name

    def booted(self, instance: str) -> dict[str, Any]:
        """What the stand-in saw of its machine."""
        seen = self.path(instance, "scratch/seen")
        until(seen.exists, seconds=60, what=f"{instance} has booted")
        return dict(json.loads(seen.read_text()))

    def pids(self, instance: str) -> list[int]:
        """Of the stand-in and of its child."""
        self.booted(instance)
        return [int(self.path(instance, name).read_text()) for name in ("pid", "scratch/child")]

    def imds(
        self,
        instance: str,
        path: str,
        *,
        token: str | None = None,
        method: str = "GET",
        **headers: str,
    ) -> tuple[int, str]:
        """An answer of the instance's metadata endpoint; with the machine's own token if None."""
        seen = self.booted(instance)
        url = seen["environment"]["AWS_EC2_METADATA_SERVICE_ENDPOINT"] + path
        given = {"X-aws-ec2-metadata-token": seen["token"] if token is None else token}
        return http(urllib.request.Request(url, method=method, headers={**given, **headers}))

    def calls(self, action: str) -> list[dict[str, Any]]:
        """What EC2 was asked for in these calls."""
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        calls = [json.loads(line) for line in lines]
        return [call["parameters"] for call in calls if call["action"] == action]

    def reclaim(self, body: object) -> tuple[int, str]:
        return self._post("reclaim", body)

    def advise(self, body: object) -> tuple[int, str]:
        return self._post("advise", body)

    def _post(self, path: str, body: object) -> tuple[int, str]:
        return http(
            urllib.request.Request(
                f"{self.endpoint}/_local/{path}", method="POST", data=json.dumps(body).encode()
            )
        )


def http(request: urllib.request.Request) -> tuple[int, str]:
    """Status and text, errors too."""
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def alive(pid: int) -> bool:
    """Whether the process lives; one that waits to be reaped does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@contextlib.contextmanager
def serving(
    folder: Path, *, relaunch_seconds: float = 0.5, options: Sequence[str] = ()
) -> Iterator[Server]:
    server = Server(folder, relaunch_seconds=relaunch_seconds, options=options)
    try:
        yield server
    finally:
        server.end()
