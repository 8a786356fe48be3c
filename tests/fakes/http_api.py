"""An HTTP API on loopback that answers what it is told to, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Asked(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class HttpApi:
    """`answers` maps `METHOD /path` to a list of (status, document); the last one stays."""

    def __init__(self, answers: dict[str, list[tuple[int, Any]]]) -> None:
        self.answers = answers
        self.asked: list[Asked] = []
        self.base = ""

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """What is said to one request; a status of 0 breaks the connection off."""
        self.asked.append(asked)
        planned = self.answers.get(f"{asked.method} {asked.path}")
        if not planned:
            return 404, {"Code": "NotFound", "Message": f"there is no {asked.path}"}
        return planned.pop(0) if len(planned) > 1 else planned[0]


@contextlib.contextmanager
def serving(answers: dict[str, list[tuple[int, Any]]]) -> Iterator[HttpApi]:
    """Serve while the block runs."""
    api = HttpApi(answers)

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
            status, document = api.answer(
                Asked(
                    self.command,
                    parts.path,
                    query,
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(body) if body else None,
                )
            )
            if status == 0:
                self.close_connection = True
                return
            encoded = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        do_GET = do_PUT = do_POST = do_DELETE = _do  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - likewise
            """Tests look at `asked`, not at a log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.base = f"http://127.0.0.1:{server.server_port}/api"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
