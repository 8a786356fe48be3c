"""A small instance metadata service over HTTP: version 2 only, and as ill-behaved as a test wants
it.
"""

from __future__ import annotations

import itertools
import time
from http.server import BaseHTTPRequestHandler

from fakes.loopback import Loopback


class Metadata(Loopback):
    """`values` by path below /latest/. The first `silent` requests get a 503, and tokens last for
    `uses` requests. Each of `slow` is how many seconds one of the next requests waits, each of
    `forged` a token that is handed out; values come byte by byte, each after `trickle` seconds.
    """

    def __init__(self, values: dict[str, bytes], *, silent: int = 0, uses: int = 1_000_000) -> None:
        super().__init__(_Handler)
        self.values = values
        self.silent = silent
        self.uses = uses
        self.slow: list[float] = []
        self.forged: list[bytes] = []
        self.trickle = 0.0
        self.tokens: dict[str, int] = {}
        self.numbers = itertools.count(1)

    @property
    def url(self) -> str:
        return f"{super().url}/"


class _Handler(BaseHTTPRequestHandler):
    server: Metadata

    def do_PUT(self) -> None:
        if self._is_silent():
            return
        if self.server.forged:
            self._answer(200, self.server.forged.pop(0))
            return
        token = f"token-{next(self.server.numbers)}"
        self.server.tokens[token] = self.server.uses
        self._answer(200, token.encode())

    def do_GET(self) -> None:
        if self._is_silent():
            return
        token = self.headers.get("X-aws-ec2-metadata-token", "")
        left = self.server.tokens.get(token, 0)
        if left <= 0:
            self._answer(401)
            return
        self.server.tokens[token] = left - 1
        value = self.server.values.get(self.path.removeprefix("/latest/"))
        self._answer(404 if value is None else 200, value or b"", pause=self.server.trickle)

    def _is_silent(self) -> bool:
        if self.server.slow:
            time.sleep(self.server.slow.pop(0))  # its slowness is what is tested
        self.server.silent -= 1
        if self.server.silent >= 0:
            self._answer(503)
            return True
        return False

    def _answer(self, status: int, body: bytes = b"", *, pause: float = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        pieces = [body[i : i + 1] for i in range(len(body))] if pause else [body]
        for piece in pieces:
            time.sleep(pause)  # as above
            try:
                self.wfile.write(piece)
            except OSError:
                return  # nobody waits for it any more

    def log_message(self, *args: object) -> None:
        """Say nothing."""
