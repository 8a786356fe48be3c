"""What instances of the local cloud are, as it is started."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from aws_parallelizer.core.errors import ParallelizerError
from local import images
from local.default_image import image_to_boot
from local.images import Image, ImageStore
from local.settings import REGION, Machines, Place
from local.up import ec2_command
from local.volumes import Volume


def built(
    store: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, created: float, region: str = REGION
) -> None:
    monkeypatch.setattr(images, "make_disk", lambda layers, disk, *, gib: disk.touch())
    image = Image(
        id=f"ami-{name}",
        region=region,
        name=name,
        architecture="x86_64",
        created=created,
        content=name,
    )
    images_here = ImageStore(store)
    images_here.snapshot(image, Volume(store.parent / name, [store.parent]))
    images_here.make_disk(image, gib=1)


def test_the_newest_image_of_the_region_is_booted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "images"
    built(store, monkeypatch, "old", created=1.0)
    built(store, monkeypatch, "new", created=2.0)
    built(store, monkeypatch, "elsewhere", created=time.time(), region="eu-west-1")
    assert image_to_boot(Machines(body="nspawn", images=store)) == "ami-new"


def test_without_an_image_it_says_what_builds_one(tmp_path: Path) -> None:
    with pytest.raises(ParallelizerError, match="there is none; `make rehearse` builds one"):
        image_to_boot(Machines(body="nspawn", images=tmp_path))


def test_where_one_can_be_built_none_has_to_be_there(tmp_path: Path) -> None:
    machines = Machines(body="nspawn", images=tmp_path, releases=["13"])
    assert image_to_boot(machines) is None
    assert image_to_boot(Machines(body="worker", images=tmp_path)) is None


def test_the_ec2_is_told_what_its_instances_are(tmp_path: Path) -> None:
    machines = Machines(body="qemu", images=tmp_path, releases=["12", "13"], ssh_port=2200)
    place = Place(directory=tmp_path, port=1, ec2_port=2, machines=machines)
    command = " ".join(ec2_command(place))
    assert "--body qemu --ssh-port 2200 --release=12 --release=13" in command
    assert f"--images={tmp_path}" in command
