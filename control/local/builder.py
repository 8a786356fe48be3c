"""The body of an instance in which an image is built: a base root that systemd-nspawn has booted.

It is in this computer's network, so that the distribution's packages can be had. cloud-init does at
the first boot what it does on EC2, with the user data and the key of the launch, but is told of
them by files. sshd is a unit that is no part of the image.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from local.body import Ending, end_of
from local.containers import Container
from local.metadata import Identity, Notice
from local.volumes import Volume

log = logging.getLogger(__name__)

INSIDE = "/run/first-boot"

# The root has the mirrors of this computer already, and no locales to choose from.
VENDOR_DATA = """\
#cloud-config
apt: {preserve_sources_list: true}
locale: false
"""

SCRIPT = f"""\
set -eu
[ -e /etc/resolv.conf ] || install -D {INSIDE}/resolv.conf "$(readlink -m /etc/resolv.conf)"
"""

# After cloud-init has made the user and the host's keys; Debian 13's names that stage anew.
UNIT = """\
[Unit]
Description=sshd of a builder
After=cloud-init.service cloud-init-network.service

[Service]
ExecStartPre=/bin/sh {inside}/script
ExecStart=/usr/sbin/sshd -D -e -o Port={port} -o ListenAddress=127.0.0.1
RuntimeDirectory=sshd
"""
UNIT_NAME = "first-boot.service"

# In this computer's network the image's own sshd and resolver would take what is not theirs.
ARGUMENTS = (
    "systemd.mask=ssh.service",
    "systemd.mask=systemd-resolved.service",
    f"systemd.wants={UNIT_NAME}",
)
# Debian 12's wants to be told twice that nobody is to be asked. The network is this computer's.
CLOUD_INIT = (
    f"ds=nocloud;s={INSIDE}/",
    "cc:datasource_list: [ NoCloud ]end_cc",
    "network-config=disabled",
)


class BuilderBody:
    """Let in is who has the key pair of the launch, as user admin."""

    def __init__(
        self, identity: Identity, *, folder: Path, layers: Sequence[Path], ssh_port: int
    ) -> None:
        self._console = folder / "console.log"
        self.volume = Volume(folder, layers)
        given = folder / "first-boot"
        given.mkdir(exist_ok=True)
        keys = [identity.public_key] if identity.public_key else []
        told = {"instance-id": identity.instance, "public-keys": keys}
        (given / "meta-data").write_text(json.dumps(told))
        (given / "user-data").write_bytes(identity.user_data or b"")
        (given / "vendor-data").write_text(VENDOR_DATA)
        (given / "script").write_text(SCRIPT)
        shutil.copy("/etc/resolv.conf", given)
        unit = given / UNIT_NAME
        unit.write_text(UNIT.format(inside=INSIDE, port=ssh_port))
        self._container = Container(
            self.volume.layers,
            folder,
            name=identity.instance,
            console=self._console,
            binds={given: INSIDE, unit: f"/run/systemd/system/{UNIT_NAME}"},
            arguments=ARGUMENTS,
            cloud_init=CLOUD_INIT,
        )
        log.info("%s is a builder with sshd on port %s", identity.instance, ssh_port)

    def ending(self) -> Ending | None:
        return self._container.ending()

    def console(self) -> bytes:
        return end_of(self._console)

    def announce(self, notice: Notice) -> None:
        """A builder has no metadata endpoint."""

    def advise(self, at: datetime) -> None:
        """Nor does it hear advice."""

    def press_power_button(self) -> None:
        self._container.shut_down()

    def cut_power(self) -> None:
        self._container.kill()

    def release(self) -> None:
        """All that it held has ended with it."""

    def wipe(self) -> None:
        self.volume.wipe()
