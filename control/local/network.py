"""The network of one machine: a namespace in which there is the metadata service, the local cloud,
and nothing else.

This process listens in it on the machine's behalf, so that no bridge, no route and no firewall
rule of this computer is touched. The namespace is gone when the last process and descriptor of it
is.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

METADATA_ADDRESS = "169.254.169.254"  # EC2's
CLOUD_ADDRESS = "169.254.1.1"  # ours: the same for every machine

CLONE_NEWNET = 0x40000000  # linux/sched.h


class Network:
    """Exists from its making until `close`. Raises OSError."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._namespace = -1
        _in_a_thread(self._make)

    @property
    def path(self) -> Path:
        """By which another process finds the namespace."""
        return Path(f"/proc/{os.getpid()}/fd/{self._namespace}")

    def listener(self, address: str, port: int) -> socket.socket:
        """A socket that listens inside."""
        made: list[socket.socket] = []

        def make() -> None:
            _check(_libc().setns(self._namespace, CLONE_NEWNET), "cannot enter a network")
            made.append(socket.create_server((address, port), backlog=64))

        _in_a_thread(make)
        return made[0]

    def close(self) -> None:
        if self._namespace != -1:
            os.close(self._namespace)
            self._namespace = -1

    def _make(self) -> None:
        _check(_libc().unshare(CLONE_NEWNET), "cannot make a network namespace")
        for command in (
            ["link", "set", "lo", "up"],
            ["address", "add", f"{METADATA_ADDRESS}/32", "dev", "lo"],
            ["address", "add", f"{CLOUD_ADDRESS}/32", "dev", "lo"],
            ["link", "add", "eth0", "type", "veth", "peer", "name", "outside"],
            ["address", "add", f"{self._address}/32", "dev", "eth0"],
            ["link", "set", "eth0", "up"],
            ["link", "set", "outside", "up"],
        ):
            _ip(command)
        self._namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _ip(command: list[str]) -> None:
    done = subprocess.run(["ip", *command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(command)}: {done.stderr.strip()}")


def _in_a_thread(work: Callable[[], None]) -> None:
    """Namespaces belong to threads: one that ends afterwards takes the change with it."""
    errors: list[OSError] = []

    def run() -> None:
        try:
            work()
        except OSError as error:
            errors.append(error)  # raised below, for the caller

    thread = threading.Thread(target=run, name="network")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, failure: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), failure)
