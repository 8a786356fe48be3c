"""Which body an instance gets."""

from __future__ import annotations

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


class Kind(StrEnum):
    """What an instance is that is not there to build an image in."""

    WORKER = "worker"  # the worker as a process
    NSPAWN = "nspawn"  # an image's root in a container


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
        return NspawnBody(
            identity,
            folder=self._folder(identity),
            layers=self.images.layers(image),
            surroundings=self.surroundings,
        )

    def _folder(self, identity: Identity) -> Path:
        folder = self.surroundings.directory / "instances" / identity.instance
        folder.mkdir(parents=True, exist_ok=True)
        return folder
