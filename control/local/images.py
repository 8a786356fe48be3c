"""The images that were built here, kept in the user's cache folder.

A content is what a snapshot of EC2 is: a layer over others, and the disk that was made of them. An
image is a name for a content; its copies in other regions are more names for the same.

    images/<content>/layer/      what the builder wrote
                     layers      the paths of all layers, topmost first
                     disk.raw    an ext4 file system; there when the content is whole
                     ami-*.json  the images
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from local.containers import MOUNT_AND_RUN
from local.roots import cache_folder
from local.volumes import Volume

log = logging.getLogger(__name__)

KEPT = 3  # contents; a person looks at the last one, and may run the one before
ABANDONED_SECONDS = 3600.0  # making a disk takes seconds


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """One image. `created` is in seconds since the epoch."""

    id: str
    region: str
    name: str
    architecture: str
    created: float
    content: str


class ImageStore:
    """The images in a folder, which more than one local cloud may use."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or cache_folder() / "images"

    def images(self) -> list[Image]:
        """The whole ones, newest first."""
        found = [
            msgspec.json.decode(path.read_bytes(), type=Image)
            for path in self._folder.glob("*/ami-*.json")
            if (path.parent / "disk.raw").exists()
        ]
        return sorted(found, key=lambda image: image.created, reverse=True)

    def find(self, image: str) -> Image | None:
        """The image of that id, if it is whole."""
        return next((one for one in self.images() if one.id == image), None)

    def layers(self, image: Image) -> list[Path]:
        """What a machine's volume begins with. Raises OSError if a base root was deleted since."""
        layers = [Path(line) for line in self._path(image, "layers").read_text().splitlines()]
        for layer in layers:
            layer.stat()
        return layers

    def disk(self, image: Image) -> Path:
        """An ext4 file system with all that is in the image; not to be written to."""
        return self._path(image, "disk.raw")

    def snapshot(self, image: Image, volume: Volume) -> None:
        """A new content for the image, of a volume whose machine is down; without a disk yet."""
        content = self._folder / image.content
        content.mkdir(parents=True)
        layers = volume.snapshot(content / "layer")
        (content / "layers").write_text("".join(f"{layer}\n" for layer in layers))
        self.name(image)

    def name(self, image: Image) -> None:
        """One more image of a content."""
        self._path(image, f"{image.id}.json").write_bytes(msgspec.json.encode(image))

    def make_disk(self, image: Image, *, gib: int) -> None:
        """The disk of the image's content, which takes seconds. Raises OSError."""
        content = self._folder / image.content
        new = content / "disk.new"
        make_disk(self.layers(image), new, gib=gib)
        new.rename(content / "disk.raw")
        self._tidy()

    def remove(self, image: str) -> None:
        """The image is gone, and its content if no other image has it or is made of it."""
        for path in self._folder.glob(f"*/{image}.json"):
            path.unlink()
            others = {each.name for each in self._folder.iterdir()} - {path.parent.name}
            unnamed = not list(path.parent.glob("ami-*.json"))
            if unnamed and path.parent.name not in self._below(others):
                shutil.rmtree(path.parent)

    def _path(self, image: Image, name: str) -> Path:
        return self._folder / image.content / name

    def _tidy(self) -> None:
        """Delete old contents, and what a local cloud that was killed left unfinished."""
        whole = dict.fromkeys(image.content for image in self.images())
        young = time.time() - ABANDONED_SECONDS
        contents = list(self._folder.iterdir())
        kept = {*list(whole)[:KEPT]}
        kept |= {each.name for each in contents if each.stat().st_mtime > young} - whole.keys()
        kept |= self._below(kept)
        for content in contents:
            if content.name not in kept:
                shutil.rmtree(content)

    def _below(self, contents: Iterable[str]) -> set[str]:
        """The contents that these have layers of."""
        lists = (self._folder / content / "layers" for content in contents)
        layers = (path.read_text().splitlines() for path in lists if path.exists())
        above = {Path(line).parent for lines in layers for line in lines}
        return {folder.name for folder in above if folder.parent == self._folder}


def make_disk(layers: Sequence[Path], disk: Path, *, gib: int) -> None:
    """A file system in a file, of the tree that the layers make up. Raises OSError."""
    with tempfile.TemporaryDirectory() as target:
        command = [
            sys.executable, "-I", "-S", str(MOUNT_AND_RUN),
            f"lowerdir={':'.join(str(layer) for layer in layers)}", target,
            "mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", target, str(disk), f"{gib}G",
        ]  # fmt: skip
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise OSError(f"no disk of {layers}: {done.stderr.strip()[-500:]}")
