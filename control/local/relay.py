"""Carries connections from one network to an address in another."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading

log = logging.getLogger(__name__)

PIECE_BYTES = 65_536


class Relay:
    """Accepts on the listener from its making until `close`, and connects each to the target."""

    def __init__(self, listener: socket.socket, target: tuple[str, int]) -> None:
        self._listener = listener
        self._target = target
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def close(self) -> None:
        """No more connections; those that there are break."""
        for one in (self._listener, *list(self._open)):
            with contextlib.suppress(OSError):  # it was closed from the other side meanwhile
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                inside, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._carry, args=(inside,), daemon=True).start()

    def _carry(self, inside: socket.socket) -> None:
        with inside:
            try:
                outside = socket.create_connection(self._target)
            except OSError as error:
                log.warning("no connection to %s: %s", self._target, error)
                return  # to the machine it looks as if the service is down
            with outside:
                both = {inside, outside}
                self._open |= both
                back = threading.Thread(target=_pump, args=(outside, inside), daemon=True)
                back.start()
                _pump(inside, outside)
                back.join()
                self._open -= both


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Until one of them ends; then the other is told that no more comes."""
    with contextlib.suppress(OSError):  # broken: both directions end
        while piece := source.recv(PIECE_BYTES):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
