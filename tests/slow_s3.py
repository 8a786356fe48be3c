"""S3 as a worker sees it: the emulator's, with times in which it answers nothing but SlowDown."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_ERROR = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_OURS = ("connection", "transfer-encoding", "content-length", "server", "date")


class SlowS3:
    """`refuse` from now on for so many seconds; `refused` counts the calls that were, by path."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = urlsplit(endpoint)
        self.url = ""
        self.refused: dict[str, int] = {}
        self._until = 0.0

    def refuse(self, *, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._until


@contextmanager
def slow_s3(endpoint: str) -> Iterator[SlowS3]:
    """Serve while the block runs."""
    told = SlowS3(endpoint)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not told.is_over:
                told.refused[self.path] = told.refused.get(self.path, 0) + 1
                self._answer(503, {"Content-Type": "application/xml"}, _ERROR)
                return
            upstream = http.client.HTTPConnection(told.endpoint.netloc, timeout=30)
            try:
                upstream.request(self.command, self.path, body, dict(self.headers))
                answer = upstream.getresponse()
                self._answer(answer.status, dict(answer.getheaders()), answer.read())
            finally:
                upstream.close()

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _do  # noqa: N815 - http.server's names

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            length = str(len(body))
            for name, value in headers.items():
                if name.lower() == "content-length" and self.command == "HEAD":
                    length = value
                if name.lower() not in _OURS:
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield told
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
