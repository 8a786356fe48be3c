"""An image's disk as a machine of its own: qemu boots its kernel, cloud-init finds EC2 around it.

Always emulated (TCG): /dev/kvm is often there and does not work, as in a container in a virtual
machine. The kernel is given to qemu directly, so that no boot loader is tried. qemu's user network
runs in the machine's network namespace: what the guest connects to, qemu connects to there.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from local import processes
from local.body import Ending, end_of
from local.metadata import Identity, Notice
from local.process_body import Surroundings
from local.wiring import Wiring

log = logging.getLogger(__name__)

# Debian 13's kernel panics under older qemus that emulate cmpxchg16b; it does without it.
CPU = "qemu64,-cx16"
PROCESSORS = 2
MEMORY_MIB = 1024
PANIC = b"Kernel panic"


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """A raw disk, never written to, with the kernel and initrd that are in its /boot."""

    path: Path
    kernel: Path
    initrd: Path


class QemuBody:
    """Starting the same instance again finds what it wrote to its disk."""

    volume = None

    def __init__(
        self, identity: Identity, *, folder: Path, disk: Disk, surroundings: Surroundings
    ) -> None:
        self._folder = folder
        self._console = folder / "console.log"
        self._own_disk = folder / "disk.qcow2"
        if not self._own_disk.exists():
            layout = ["-q", "-f", "qcow2", "-F", "raw", "-b", str(disk.path)]
            _run("qemu-img", "create", *layout, self._own_disk)
        self._control = folder / "qmp"
        self._control.unlink(missing_ok=True)
        self._wiring = Wiring(identity, surroundings)
        command = ["nsenter", f"--net={self._wiring.network.path}", "--"]
        command += self._qemu(identity, disk, self._wiring.arguments)
        try:
            self._process = self._start(command)
        except OSError:
            self._wiring.close()
            raise
        log.info("%s boots %s as process %s", identity.instance, identity.image, self._process.pid)

    def ending(self) -> Ending | None:
        code = self._process.poll()
        if code is None:
            return None
        if code or PANIC in self.console():
            return Ending.LOST
        return Ending.POWERED_OFF

    def console(self) -> bytes:
        return end_of(self._console)

    def announce(self, notice: Notice) -> None:
        self._wiring.announce(notice)

    def advise(self, at: datetime) -> None:
        self._wiring.advise(at)

    def press_power_button(self) -> None:
        if self._process.poll() is not None:
            return
        try:
            press(self._control)
        except OSError as error:
            # It has just begun or is just ending; when nothing comes of it the power is cut.
            log.warning("nobody presses the power button of %s: %s", self._folder.name, error)

    def cut_power(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def release(self) -> None:
        self._wiring.close()

    def wipe(self) -> None:
        self._own_disk.unlink(missing_ok=True)
        self._control.unlink(missing_ok=True)

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self._folder / "qemu.log").open("ab") as output:
            return subprocess.Popen(
                processes.tethered(command, parting=signal.SIGKILL),
                cwd=self._folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _qemu(self, identity: Identity, disk: Disk, arguments: Sequence[str]) -> list[str]:
        # A panic is a reboot for the guest, and a reboot the end: the console tells it from a
        # power-off. Interface names depend on the board; eth0 is the same on all.
        kernel = f"root=/dev/vda rw console=ttyS0 net.ifnames=0 panic=1 quiet {' '.join(arguments)}"
        return [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "pc", "-cpu", CPU,
            "-smp", str(PROCESSORS), "-m", str(MEMORY_MIB), "-display", "none", "-no-reboot",
            "-nodefaults",
            "-smbios", _smbios(identity),
            "-kernel", str(disk.kernel), "-initrd", str(disk.initrd), "-append", kernel,
            "-drive", f"file={self._own_disk},if=virtio,cache=unsafe,format=qcow2",
            "-netdev", "user,id=net", "-device", f"virtio-net-pci,netdev=net,mac={identity.mac}",
            "-device", "virtio-rng-pci",
            "-chardev", f"file,id=console,path={self._console},append=on",
            "-serial", "chardev:console",
            "-qmp", f"unix:{self._control},server=on,wait=off",
        ]  # fmt: skip


def _smbios(identity: Identity) -> str:
    """By this cloud-init knows a machine of EC2: serial number and uuid are equal, and begin so."""
    tail = identity.instance.removeprefix("i-")[:17].zfill(17)
    uuid = f"ec2{tail[:5]}-{tail[5:9]}-{tail[9:13]}-8000-{tail[5:17]}"
    return f"type=1,manufacturer=Amazon EC2,product={identity.type},uuid={uuid},serial={uuid}"


def press(control: Path) -> None:
    """The power button of the qemu that listens on this socket. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(control))
        with connection.makefile("rwb") as stream:
            stream.readline()  # it says who it is
            for command in ("qmp_capabilities", "system_powerdown"):
                stream.write(json.dumps({"execute": command}).encode())
                stream.flush()
                stream.readline()


def disk_of(disk: Path, folder: Path) -> Disk:
    """The disk, with its kernel and initrd taken out of it into the folder. Raises OSError."""
    listed = _run("debugfs", "-R", "ls -p /boot", disk)
    names = sorted(line.split("/")[5] for line in listed.splitlines() if line.startswith("/"))
    found = []
    for kind in ("vmlinuz-", "initrd.img-"):
        newest = [name for name in names if name.startswith(kind)][-1:]
        if not newest:
            raise OSError(f"there is no {kind}* in the /boot of {disk}")
        target = folder / kind.rstrip("-")
        if not target.exists():
            new = target.with_name(f"{target.name}.new")
            _run("debugfs", "-R", f"dump /boot/{newest[0]} {new}", disk)
            new.rename(target)
        found.append(target)
    return Disk(path=disk, kernel=found[0], initrd=found[1])


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout
