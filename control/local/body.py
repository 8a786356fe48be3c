"""A body: what makes an instance of the local cloud more than a row.

There are four kinds: the worker as a process (process_body.py), a root to build an image in
(builder.py), and an image's root, booted by systemd-nspawn (nspawn.py) or by qemu (qemu.py).
Which of them an instance gets is decided in bodies.py.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Protocol

from local.launching import Specification
from local.metadata import Identity, Notice
from local.volumes import Volume

CONSOLE_BYTES = 65_536  # as much as EC2 keeps


class Ending(Enum):
    """How a body ended by itself."""

    POWERED_OFF = "powered off"
    LOST = "lost"


class Body(Protocol):
    """A machine that runs. Every call but the making is harmless when it has ended already."""

    @property
    def volume(self) -> Volume | None:
        """Its root volume, if an image can be made of it."""

    def ending(self) -> Ending | None:
        """How it ended, None while it runs."""

    def console(self) -> bytes:
        """The end of what it wrote to its console."""

    def announce(self, notice: Notice) -> None:
        """Give the spot notice to the machine."""

    def advise(self, at: datetime) -> None:
        """Tell it that EC2 advises to leave it."""

    def press_power_button(self) -> None:
        """Ask it to shut down in an orderly way."""

    def cut_power(self) -> None:
        """End everything of it, now."""

    def release(self) -> None:
        """Give back what it held of this computer, except its disk."""

    def wipe(self) -> None:
        """Delete its disk."""


# Makes the body of an instance, None = it is just a row. Raises OSError.
MakeBody = Callable[[Identity, Specification], Body | None]


def end_of(console: Path) -> bytes:
    """What a console's file ends with; nothing if it was never written."""
    try:
        with console.open("rb") as file:
            file.seek(max(0, console.stat().st_size - CONSOLE_BYTES))
            return file.read()
    except FileNotFoundError:
        return b""
