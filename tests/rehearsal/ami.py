"""`make ami` against the local cloud, with Debian's Packer and a container as the builder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acceptance.cloud import Cloud
from image import manifest
from image.manifest import Built
from local import reclaim as reclaiming
from waiting import until

REPOSITORY = Path(__file__).parents[2]
RELEASE = "13"  # the Debian of which images are made, if nothing else is said
OLDER = "12"  # the other one
PARAMETER = "/parallelizer/image-id"  # where the local cloud's stack reads it
COPY = "eu-west-1"

# A job's analysis program that says who it is, and whether it could ask for the instance's
# credentials.
PROGRAM = """#!/bin/bash
{ id -un; cut -d. -f1 /etc/debian_version
  if (exec 3<>/dev/tcp/169.254.169.254/80) 2>/dev/null; then echo open; else echo shut; fi
} > "$1.seen"
echo "$1.seen"
"""


class Machines(Cloud):
    """A local cloud whose instances are machines; images of those releases can be built in it."""

    def __init__(
        self, folder: Path, *, body: str, releases: Sequence[str] = (), ssh_port: int = 0
    ) -> None:
        building = [f"--release={release}" for release in releases]
        super().__init__(folder, "--body", body, "--ssh-port", str(ssh_port), *building)
        self.ssh_port = ssh_port

    @property
    def home(self) -> dict[str, str]:
        """The environment of somebody who works on this cloud, and on no other."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        paths = f"{REPOSITORY}/worker{os.pathsep}{REPOSITORY}/control"
        nothing = {
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return {**kept, **self.env, **nothing, "PYTHONPATH": paths}

    def calls(self, action: str, region: str = "us-east-1") -> list[Mapping[str, Any]]:
        """The parameters of every call of a kind that changed something, in their order."""
        lines = (self.folder / "local" / "calls.jsonl").read_text().splitlines()
        told = map(json.loads, lines)
        return [
            one["parameters"] for one in told if (one["action"], one["region"]) == (action, region)
        ]

    def described(self, instance: str) -> dict[str, Any]:
        """The instance as EC2 describes it."""
        answer = self.client("ec2").describe_instances(InstanceIds=[instance])
        return dict(answer["Reservations"][0]["Instances"][0])

    def put_together(self, name: str, files: Mapping[str, bytes]) -> None:
        """Drop files such that all of them wait when the job's first instance is launched: one that
        came late might find an instance that ends for want of work.
        """
        assert self.call("POST", f"/jobs/{name}/pause").status == 202
        self.put(name, files)
        until(
            lambda: self.counts(name)["queued"] == len(files),
            seconds=60,
            what=f"{len(files)} files of {name} are tasks",
        )
        assert self.call("POST", f"/jobs/{name}/resume").status == 202

    def reclaim(self, instance: str, *, notice: float) -> None:
        """EC2 takes a spot instance back."""
        reclaiming.reclaim(instance, notice=notice, directory=self.folder / "local")

    def state(self, instance: str) -> str:
        """The instance's state in EC2's words."""
        return str(self.described(instance)["State"]["Name"])

    def console(self, instance: str) -> str:
        """What the machine has written to its console."""
        path = self.folder / "local" / "instances" / instance / "console.log"
        return path.read_text(errors="replace") if path.exists() else ""


@dataclass(frozen=True, kw_only=True)
class Ami:
    """What `make ami` said and made, None where it failed, and how long it took in seconds; its
    folder is where it lays what it writes.
    """

    folder: Path
    said: str
    made: Built | None
    seconds: float

    @property
    def images(self) -> Mapping[str, str]:
        """The ids by region."""
        assert self.made is not None, self.said
        return self.made.images


def make(
    cloud: Machines, *variables: str, release: str = RELEASE, parameter: str = PARAMETER
) -> Ami:
    """Run it, with more of the template's variables."""
    folder = REPOSITORY / "build" / "ami" / f"debian-{release}-amd64"
    given = {
        "ec2_endpoint": cloud.env["AWS_ENDPOINT_URL_EC2"],
        "ssh_host": "127.0.0.1",
        "ssh_port": str(cloud.ssh_port),
        "poll_seconds": "1",
    }
    command = [sys.executable, "-m", "image", "ami", "--release", release]
    command += ["--copies", COPY, "--parameter", parameter]
    begun = time.monotonic()
    ended = subprocess.run(
        [*command, *(f"{name}={value}" for name, value in given.items()), *variables],
        cwd=REPOSITORY,
        env=cloud.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ami(
        folder=folder,
        said=ended.stdout + ended.stderr,
        made=manifest.read(folder / "manifest.json") if ended.returncode == 0 else None,
        seconds=time.monotonic() - begun,
    )
