"""What tests of the image's tools share: a moto account, and a Packer that is a script."""

from __future__ import annotations

import contextlib
import functools
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from aws_parallelizer.aws import clients
from image import wheelhouse
from image.making import Order
from image.targets import Target

REGION, OTHER = "us-east-1", "eu-west-1"
TAGS = {
    "parallelizer:image": "worker",
    "parallelizer:arch": "amd64",
    "parallelizer:debian-release": "13",
}


@contextlib.contextmanager
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A moto account, and nothing of the developer's AWS settings."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # hundreds, at each start
    clients.session.cache_clear()
    with mock_aws():
        yield
    for cached in (clients.session, ec2, ssm):
        cached.cache_clear()


def workplace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder for programs, the only ones on the PATH but the system's; builds go below it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ansible-playbook").write_text("#!/bin/sh\n")
    (folder / "ansible-playbook").chmod(0o755)
    monkeypatch.setattr("image.packer._BIN", folder)
    monkeypatch.setattr("image.making.REPOSITORY", tmp_path)
    monkeypatch.setattr(wheelhouse, "build", _no_wheels)
    return folder


def _no_wheels(_release: str, _arch: str, to: Path) -> tuple[wheelhouse.Wheel, ...]:
    to.mkdir(parents=True, exist_ok=True)
    return ()


def order(**more: Any) -> Order:
    """What `make ami` alone makes."""
    return Order(**{"target": Target(release="13", arch="amd64"), "region": REGION, **more})


@functools.cache
def ec2(region: str = REGION) -> Any:
    return boto3.client("ec2", region_name=region)


@functools.cache
def ssm(region: str = REGION) -> Any:
    return boto3.client("ssm", region_name=region)


def published(name: str = "/parallelizer/image-id", *, region: str = REGION) -> str:
    """What an SSM parameter says."""
    return str(ssm(region).get_parameter(Name=name)["Parameter"]["Value"])


def instance(image: str = "ami-12c6146b", *, region: str = REGION) -> str:
    """An instance that runs."""
    answer = ec2(region).run_instances(ImageId=image, MinCount=1, MaxCount=1)
    return str(answer["Instances"][0]["InstanceId"])


def image(name: str, *, tags: dict[str, str] | None = None, region: str = REGION) -> str:
    """An image with a snapshot, both with the tags, by default ours; its maker is gone."""
    builder = instance(region=region)
    made = ec2(region).create_image(InstanceId=builder, Name=name)["ImageId"]
    ec2(region).terminate_instances(InstanceIds=[builder])
    listed = [{"Key": key, "Value": value} for key, value in (tags or TAGS).items()]
    ec2(region).create_tags(Resources=[made, *snapshots(made, region=region)], Tags=listed)
    return str(made)


def snapshots(image_id: str, *, region: str = REGION) -> list[str]:
    """The snapshots that an image is made of."""
    [found] = ec2(region).describe_images(ImageIds=[image_id])["Images"]
    return [each["Ebs"]["SnapshotId"] for each in found["BlockDeviceMappings"] if "Ebs" in each]


def manifest(images: dict[str, str], *, arch: str = "amd64") -> dict[str, Any]:
    """What Packer writes, with an earlier build and the regions in an order of its own."""
    ids = ",".join(f"{region}:{id_}" for region, id_ in sorted(images.items()))
    custom = {"arch": arch, "debian_release": "13", "worker_version": "0", "git_commit": "c"}
    earlier = {"packer_run_uuid": "1", "artifact_id": "us-east-1:ami-old", "custom_data": custom}
    last = {"packer_run_uuid": "2", "artifact_id": ids, "custom_data": custom}
    return {"builds": [earlier, last], "last_run_uuid": "2"}


def packer(folder: Path, *, version: str = "1.14.2", build: str = "") -> Path:
    """A program of Packer's name that notes its calls in `calls`, one a line; `build` is the Python
    that it runs to build, with `variables`, the folder `here` and the modules json and pathlib.
    """
    folder.mkdir(exist_ok=True)
    program = folder / "packer"
    program.write_text(
        textwrap.dedent(f"""\
            #!/usr/bin/env python3
            import json, os, pathlib, sys
            here = pathlib.Path({str(folder)!r})
            if sys.argv[1] == "version":
                sys.exit(print("Packer v{version}"))
            with (here / "calls").open("a") as calls:
                calls.write(json.dumps(sys.argv[1:]) + chr(10))
            words = sys.argv[2:-1]
            variables = dict(
                value.split("=", 1) for word, value in zip(words, words[1:]) if word == "-var"
            )
            if sys.argv[1] == "build":
                exec((here / "build.py").read_text())
            """)
    )
    (folder / "build.py").write_text(textwrap.dedent(build))
    program.chmod(0o755)
    return program


def writes_manifest(images: dict[str, str]) -> str:
    """A build that succeeds."""
    text = json.dumps(manifest(images))
    return f"pathlib.Path(variables['manifest']).write_text({text!r})"


def calls(folder: Path) -> list[list[str]]:
    """How the Packer of the folder was called."""
    noted = folder / "calls"
    return [json.loads(line) for line in noted.read_text().splitlines()] if noted.exists() else []
