"""What processes used, by the kernel's own accounting."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """CPU milliseconds since a process began: its own threads, and children that it waited for."""

    own: float
    children: float

    def __sub__(self, other: Usage) -> Usage:  # type: ignore[override]
        return Usage(self.own - other.own, self.children - other.children)


def of(pid: int) -> Usage:
    """The usage of a process that is there, ended or not. Ticks of 10 ms."""
    return parse(Path(f"/proc/{pid}/stat").read_text())


def parse(stat: str) -> Usage:
    """The usage in a line of /proc/PID/stat, whose second field may hold anything."""
    fields = stat.rpartition(")")[2].split()
    user, system, user_of_children, system_of_children = map(int, fields[11:15])
    return Usage((user + system) * _TICK_MS, (user_of_children + system_of_children) * _TICK_MS)


def peak_mib(pid: int) -> float:
    """The most memory that a running process itself ever had resident."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
