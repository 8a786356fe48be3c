"""The store of images: names for contents, and which contents are kept."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from local import images
from local.images import Image, ImageStore
from local.volumes import Volume


@pytest.fixture(autouse=True)
def disks(monkeypatch: pytest.MonkeyPatch) -> None:
    def stand_in(layers: object, disk: Path, *, gib: int) -> None:
        disk.write_text(f"{gib} GiB")

    monkeypatch.setattr(images, "make_disk", stand_in)


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


def named(name: str, *, created: float = 1.0, content: str | None = None) -> Image:
    return Image(
        id=f"ami-{name}",
        region="us-east-1",
        name=name,
        architecture="x86_64",
        created=created,
        content=content or name,
    )


def made(store: ImageStore, image: Image, folder: Path) -> Volume:
    base = folder / "base"
    base.mkdir(exist_ok=True)
    volume = Volume(folder / f"machine-{image.id}", [base])
    (volume.folder / "upper").mkdir()
    (volume.folder / "upper/probe").write_text(image.id)
    store.snapshot(image, volume)
    store.make_disk(image, gib=4)
    return volume


def test_an_image_is_known_when_its_disk_is_whole(store: ImageStore, tmp_path: Path) -> None:
    image = named("one")
    (tmp_path / "base").mkdir()
    store.snapshot(image, Volume(tmp_path / "machine", [tmp_path / "base"]))
    assert store.find("ami-one") is None
    store.make_disk(image, gib=4)
    assert store.find("ami-one") == image
    assert store.disk(image).read_text() == "4 GiB"


def test_the_machine_goes_on_over_what_its_image_has_of_it(
    store: ImageStore, tmp_path: Path
) -> None:
    volume = made(store, named("one"), tmp_path)
    assert volume.layers == store.layers(named("one"))
    assert (volume.layers[0] / "probe").read_text() == "ami-one"
    assert volume.layers[1:] == [tmp_path / "base"]


def test_a_content_goes_with_the_last_image_of_it(store: ImageStore, tmp_path: Path) -> None:
    made(store, named("one"), tmp_path)
    store.name(named("copy", content="one"))
    store.remove("ami-one")
    assert [image.id for image in store.images()] == ["ami-copy"]
    store.remove("ami-copy")
    assert list((tmp_path / "images").iterdir()) == []


def test_the_newest_is_first_and_old_contents_go(store: ImageStore, tmp_path: Path) -> None:
    for number in range(images.KEPT + 1):
        made(store, named(f"{number}", created=float(number)), tmp_path)
    assert [image.id for image in store.images()] == ["ami-3", "ami-2", "ami-1"]


def test_an_image_that_was_made_of_another_outlives_it(store: ImageStore, tmp_path: Path) -> None:
    made(store, named("one"), tmp_path)
    machine = Volume(tmp_path / "machine", store.layers(named("one")))
    child = named("child", created=100.0)
    store.snapshot(child, machine)
    store.make_disk(child, gib=4)
    for number in range(images.KEPT - 1):
        made(store, named(f"{number}", created=10.0 + number), tmp_path)
    assert len(store.layers(child)) == 3
    store.remove("ami-one")
    assert len(store.layers(child)) == 3
    assert store.find("ami-one") is None


def test_what_a_killed_cloud_left_unfinished_goes_later(store: ImageStore, tmp_path: Path) -> None:
    young, old = (tmp_path / "images" / name for name in ("young", "old"))
    young.mkdir(parents=True)
    old.mkdir()
    long_ago = time.time() - images.ABANDONED_SECONDS - 1
    os.utime(old, (long_ago, long_ago))
    made(store, named("one"), tmp_path)
    assert young.exists()
    assert not old.exists()


def test_an_image_whose_base_root_was_deleted_cannot_be_booted(
    store: ImageStore, tmp_path: Path
) -> None:
    made(store, named("one"), tmp_path)
    (tmp_path / "base").rmdir()
    with pytest.raises(FileNotFoundError, match="base"):
        store.layers(named("one"))
