"""An image's root as a machine, booted by systemd-nspawn: quick, and all of it real but the kernel
and what a boot loader does.

cloud-init does not run in it: that a container is a machine of EC2 is nothing it could find out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from local.body import Ending, end_of
from local.containers import Container
from local.metadata import Identity, Notice
from local.process_body import Surroundings
from local.volumes import Volume
from local.wiring import Wiring

log = logging.getLogger(__name__)


class NspawnBody:
    """Starting the same instance again finds its volume."""

    def __init__(
        self,
        identity: Identity,
        *,
        folder: Path,
        layers: Sequence[Path],
        surroundings: Surroundings,
    ) -> None:
        self._console = folder / "console.log"
        self.volume = Volume(folder, layers)
        self._wiring = Wiring(identity, surroundings)
        try:
            self._container = Container(
                self.volume.layers,
                folder,
                name=identity.instance,
                console=self._console,
                network=self._wiring.network.path,
                arguments=self._wiring.arguments,
            )
        except OSError:
            self._wiring.close()
            raise
        log.info("%s boots %s as a container", identity.instance, identity.image)

    def ending(self) -> Ending | None:
        return self._container.ending()

    def console(self) -> bytes:
        return end_of(self._console)

    def announce(self, notice: Notice) -> None:
        self._wiring.announce(notice)

    def advise(self, at: datetime) -> None:
        self._wiring.advise(at)

    def press_power_button(self) -> None:
        self._container.shut_down()

    def cut_power(self) -> None:
        self._container.kill()

    def release(self) -> None:
        self._wiring.close()

    def wipe(self) -> None:
        self.volume.wipe()
