"""Run a command that alone sees a mount: `mount_and_run.py OPTIONS TARGET COMMAND...`.

An overlay with these options is mounted at the target, in a mount namespace of the command's own:
it is gone when the last process of the command is, however that ends. So is what the command
leaves in systemd-nspawn's folder. Run as a script, without site packages, and the command has the
process id that the starter knows.
"""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWNS = 0x00020000  # linux/sched.h
MS_REC, MS_PRIVATE = 0x4000, 0x40000  # linux/mount.h
NSPAWN = "/run/systemd/nspawn"


def main(options: str, target: str, command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(kind: str, at: str, flags: int, data: str = "") -> None:
        result = libc.mount(kind.encode(), at.encode(), kind.encode(), flags, data.encode())
        _check(result, f"no {kind} at {at}")

    _check(libc.unshare(CLONE_NEWNS), "no mount namespace of its own")
    mount("none", "/", MS_REC | MS_PRIVATE)
    mount("overlay", target, 0, options)
    os.makedirs(NSPAWN, exist_ok=True)  # noqa: PTH103  pathlib would double the time to start
    mount("tmpfs", NSPAWN, 0)
    os.execvp(command[0], command)  # noqa: S606  the command is ours, and to become it is the point


def _check(result: int, failure: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), failure)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
