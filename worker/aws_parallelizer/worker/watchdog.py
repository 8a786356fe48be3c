"""Tell systemd that the event loop turns. Where it stops, systemd ends the worker and starts it
anew: a worker that hangs keeps its instance from ending.
"""

from __future__ import annotations

import asyncio
import logging
import socket

log = logging.getLogger(__name__)

_ALIVE = b"WATCHDOG=1"  # https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
_TIMES = 3  # in the time that systemd waits


async def keep(address: str, *, seconds: float) -> None:
    """Say so until cancelled; `seconds` is how long systemd waits for it. Without an address
    nobody wants to know, and this ends at once.
    """
    if not address:
        return
    path = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.setblocking(False)
        while True:
            try:
                systemd.sendto(_ALIVE, path)
            except OSError as error:
                log.warning(
                    "systemd is not told that the worker lives, the next try may: %s", error
                )
            await asyncio.sleep(seconds / _TIMES)
