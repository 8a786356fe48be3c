"""Which body an instance gets."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from local.body import Body
from local.builder import BuilderBody
from local.images import ImageStore
from local.launching import JOB_TAG, Specification, tags_of
from local.metadata import Identity
from local.nspawn import NspawnBody
from local.process_body import ProcessBody, Surroundings
from local.qemu import QemuBody, disk_of


class Kind(StrEnum):
    """What an instance is that is not there to build an image in."""

    WORKER = "worker"  # the worker as a process
    NSPAWN = "nspawn"  # an image's root in a container
    QEMU = "qemu"  # an image's disk in an emulated machine


def machine_options(parser: argparse.ArgumentParser) -> None:
    """What is said of machines on a command line."""
    parser.add_argument(
        "--body", type=Kind, choices=list(Kind), default=Kind.WORKER, help="what an instance is"
    )
    parser.add_argument(
        "--release",
        action="append",
        default=[],
        help="a Debian release whose image is to be had, for builders; may be repeated",
    )
    parser.add_argument("--ssh-port", type=int, default=2222, help="of a builder's sshd")
    parser.add_argument("--images", type=Path, help="where images are kept; the cache by default")


@dataclass(frozen=True, kw_only=True)
class Bodies:
    """`bases` are the roots by the ids of the images that have them."""

    kind: Kind
    surroundings: Surroundings
    images: ImageStore
    ssh_port: int
    bases: Mapping[str, Path] = field(default_factory=dict)

    def make(self, identity: Identity, specification: Specification) -> Body | None:
        """The body. Raises OSError."""
        if identity.image in self.bases:
            return BuilderBody(
                identity,
                folder=self._folder(identity),
                layers=[self.bases[identity.image]],
                ssh_port=self.ssh_port,
            )
        if self.kind is not Kind.WORKER:
            return self._machine(identity)
        if JOB_TAG in tags_of(specification, "instance"):
            return ProcessBody(identity, surroundings=self.surroundings)
        return None

    def _machine(self, identity: Identity) -> Body:
        image = self.images.find(identity.image)
        if image is None:
            raise OSError(f"{identity.instance}: no image {identity.image} was built here")
        folder = self._folder(identity)
        if self.kind is Kind.QEMU:
            disk = self.images.disk(image)
            return QemuBody(
                identity,
                folder=folder,
                disk=disk_of(disk, disk.parent),
                surroundings=self.surroundings,
            )
        return NspawnBody(
            identity,
            folder=folder,
            layers=self.images.layers(image),
            surroundings=self.surroundings,
        )

    def _folder(self, identity: Identity) -> Path:
        folder = self.surroundings.directory / "instances" / identity.instance
        folder.mkdir(parents=True, exist_ok=True)
        return folder
