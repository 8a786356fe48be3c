"""The body of an instance in which an image is built: a base root that systemd-nspawn has booted.

It is in this computer's network, so that the distribution's packages can be had. What cloud-init
does on EC2 at the first boot, to let its owner in, a unit does here that is no part of the image.
"""

from __future__ import annotations

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

FIRST_BOOT = f"""\
set -eu
[ -e /etc/resolv.conf ] || install -D {INSIDE}/resolv.conf "$(readlink -m /etc/resolv.conf)"
id admin >/dev/null 2>&1 || useradd --create-home --shell /bin/bash admin
install -d -m 700 -o admin -g admin /home/admin/.ssh
install -m 600 -o admin -g admin {INSIDE}/public-key /home/admin/.ssh/authorized_keys
install -d -m 700 /root/.ssh
{{ printf 'no-port-forwarding,command="echo Please login as admin" '; cat {INSIDE}/public-key
}} >/root/.ssh/authorized_keys
chmod 600 /root/.ssh/authorized_keys
echo 'admin ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/90-cloud-init-users
chmod 440 /etc/sudoers.d/90-cloud-init-users
ssh-keygen -A
"""

UNIT = """\
[Unit]
Description=What cloud-init does at the first boot, and sshd

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


class BuilderBody:
    """Let in is who has the key pair of the launch, as user admin."""

    def __init__(
        self, identity: Identity, *, folder: Path, layers: Sequence[Path], ssh_port: int
    ) -> None:
        self._console = folder / "console.log"
        self.volume = Volume(folder, layers)
        given = folder / "first-boot"
        given.mkdir(exist_ok=True)
        (given / "public-key").write_text(f"{identity.public_key or ''}\n")
        (given / "script").write_text(FIRST_BOOT)
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
