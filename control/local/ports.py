"""Ports on loopback for servers that are about to start.

Not those that the system gives to connections by itself: somebody would have one of these before
the server listens.
"""

from __future__ import annotations

import itertools
import secrets
import socket

_POSSIBLE = range(20_000, 32_000)  # below Linux's ip_local_port_range, and macOS's


def free(count: int) -> list[int]:
    """So many ports that nothing has now, no two the same; OSError where there are not so many."""
    shuffled = secrets.SystemRandom().sample(_POSSIBLE, len(_POSSIBLE))
    found = list(itertools.islice(filter(_is_free, shuffled), count))
    if len(found) < count:
        raise OSError(f"127.0.0.1 has no free ports from {_POSSIBLE.start} to {_POSSIBLE.stop}")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
