"""The instance metadata service of one machine, on a loopback port of its own or in the machine's
own network. IMDSv2 only: no token, no answer.
"""

from __future__ import annotations

import logging
import re
import secrets
import socket
import socketserver
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local.metadata import Credentials, Identity, Notice, leaves, lookup

log = logging.getLogger(__name__)

TOKEN_PATH = "/latest/api/token"  # noqa: S105  a path
TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105  a name
LIFE_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
LONGEST_LIFE_SECONDS = 21_600
VERSIONED = re.compile(r"/(latest|\d{4}-\d{2}-\d{2})/(?P<path>.*)")  # all versions say the same


class Imds(ThreadingHTTPServer):
    """Serves from its making until `close`; on the listener if one is given."""

    daemon_threads = True

    def __init__(
        self,
        identity: Identity,
        *,
        credentials: Credentials,
        listener: socket.socket | None = None,
    ) -> None:
        socketserver.TCPServer.__init__(
            self, ("127.0.0.1", 0), _Handler, bind_and_activate=listener is None
        )
        if listener is not None:
            self.socket.close()
            self.socket = listener
        self.identity = identity
        self.credentials = credentials
        self.notice: Notice | None = None
        self.advised: datetime | None = None
        self._tokens: dict[str, float] = {}
        name = f"imds-{identity.instance}"
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def token(self, *, seconds: int) -> str:
        """A new token; the ones that have run out are forgotten."""
        now = time.monotonic()
        self._tokens = {token: end for token, end in self._tokens.items() if end > now}
        token = secrets.token_urlsafe(32)
        self._tokens[token] = now + seconds
        return token

    def accepts(self, token: str | None) -> bool:
        return token is not None and self._tokens.get(token, 0) > time.monotonic()

    def value(self, path: str) -> bytes | None:
        values = leaves(
            self.identity,
            credentials=self.credentials,
            notice=self.notice,
            advised=self.advised,
            now=datetime.now(UTC),
        )
        return lookup(values, path)

    def _serve(self) -> None:
        self.serve_forever(poll_interval=0.1)


class _Handler(BaseHTTPRequestHandler):
    server: Imds

    def do_PUT(self) -> None:
        if not self.server.identity.has_metadata:
            return self._answer(403)
        if self.path != TOKEN_PATH:
            return self._answer(404)
        life = self.headers.get(LIFE_HEADER, "")
        if not life.isdecimal() or not 1 <= int(life) <= LONGEST_LIFE_SECONDS:
            return self._answer(400)
        return self._answer(200, self.server.token(seconds=int(life)).encode(), life=life)

    def do_GET(self) -> None:
        if not self.server.identity.has_metadata:
            return self._answer(403)
        if not self.server.accepts(self.headers.get(TOKEN_HEADER)):
            return self._answer(401)
        versioned = VERSIONED.match(self.path.partition("?")[0])
        value = None if versioned is None else self.server.value(versioned["path"])
        return self._answer(404) if value is None else self._answer(200, value)

    def _answer(self, status: int, body: bytes = b"", *, life: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        if life is not None:
            self.send_header(LIFE_HEADER, life)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        log.debug("%s asked %s: %s %s", self.server.identity.instance, self.path, code, size)
