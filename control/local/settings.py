"""What is particular to the local cloud: names, keys, shorter spans."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STACK = "parallelizer"
REGION = "us-east-1"
ACCOUNT = "000000000000"  # ministack's
ACCESS_KEY = "test"
SECRET_KEY = "test"  # noqa: S105  nothing checks it
IMAGE_PARAMETER = "/parallelizer/image-id"  # SSM keeps names that begin with aws for itself

# The same rules as on AWS, with spans that a person can wait for: here counts are exact and
# nothing takes minutes to show.
STACK_PARAMETERS = {
    "EmptyReadings": "3",  # a few ticks of the local schedule
    "EmptySpanSeconds": "4",  # AWS's approximate counts need minutes to settle; these are exact
    "DrainSeconds": "6",  # a worker that goes does so in a second or two
    "NudgeSeconds": "1",  # a dropped file should be seen to start work
    "ImageParameter": IMAGE_PARAMETER,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Machines:
    """What instances are: worker, nspawn or qemu (bodies.py). `images` = where those built here are
    kept, `releases` = the Debians of which one can be built, on builders with sshd on `ssh_port`.
    """

    body: str = "worker"
    images: Path | None = None
    releases: Sequence[str] = ()
    ssh_port: int = 2222


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where this local cloud runs, and what its instances are."""

    directory: Path
    port: int
    ec2_port: int
    machines: Machines = field(default_factory=Machines)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ec2_endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ec2_port}"

    @property
    def instances(self) -> Path:
        return self.directory / "instances"

    @property
    def env(self) -> Path:
        return self.directory / "env"

    @property
    def temporary(self) -> Path:
        return self.directory / "tmp"


def aws(place: Place) -> dict[str, str]:
    """The AWS settings that point a client at this cloud."""
    return {
        "AWS_ENDPOINT_URL": place.endpoint,
        "AWS_ENDPOINT_URL_EC2": place.ec2_endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }


def environment(place: Place, before: Mapping[str, str]) -> dict[str, str]:
    """A process's environment in this cloud. Nothing of the developer's AWS settings is left, so
    that no call can reach a real account."""
    kept = {name: value for name, value in before.items() if not name.startswith("AWS_")}
    away = [kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1", "localhost"]
    no_proxy = ",".join(name for name in away if name)
    return {
        **kept,
        **aws(place),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }
