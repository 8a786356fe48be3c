"""Run a command that ends when its starter does: `tether.py STARTER SIGNAL COMMAND...`.

The kernel sends the signal even if the starter was killed with SIGKILL and could end nothing.
The setting outlives the exec, so that the command itself has the process id that the starter
knows. Run as a script, without site packages, because it stands before every start of a
machine.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(starter: int, number: int, command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, number) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != starter:
        raise SystemExit("the starter ended before its command began")
    os.execvp(command[0], command)  # noqa: S606  the command is ours, and to become it is the point


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
