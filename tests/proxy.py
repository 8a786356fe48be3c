"""An HTTP proxy between a worker and its AWS, where a test may break any call on its way."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from fakes.loopback import Loopback

_PASSED_ON = ("host", "connection", "keep-alive", "transfer-encoding", "content-length")


class Call(NamedTuple):
    """`name` says what is done to what: "ReceiveMessage", "GET in", "PUT out"; a call for rows of
    tasks ends with " task".
    """

    name: str
    body: bytes


class Answer(NamedTuple):
    """What the worker is told."""

    status: int
    headers: dict[str, str]
    body: bytes


Before = Callable[[Call], Answer | None]
After = Callable[[Call, Answer], Answer]


class Gone(Exception):
    """There is nobody left to answer."""


class Proxy(Loopback):
    """Hands calls on. `before` sees each of them and may answer in the service's place, `after`
    sees the answers and may change them; either may raise Gone, so that no answer is sent.

    `seen` counts the calls by name, `handles` are those of all messages that were given out,
    `polls` the calls for messages that are under way.
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__(_Handler)
        self.upstream = urlsplit(endpoint).netloc
        self.before: Before = lambda _call: None
        self.after: After = lambda _call, answer: answer
        self.seen: Counter[str] = Counter()
        self.handles: list[str] = []
        self.polls = 0
        self._lock = threading.Lock()

    def answer(self, call: Call, ask: Callable[[], Answer]) -> Answer:
        """The whole way of a call."""
        with self._lock:
            self.seen[call.name] += 1
            self.polls += call.name == "ReceiveMessage"
        try:
            return self._answer(call, ask)
        finally:
            with self._lock:
                self.polls -= call.name == "ReceiveMessage"

    def _answer(self, call: Call, ask: Callable[[], Answer]) -> Answer:
        answer = self.before(call) or ask()
        if call.name == "ReceiveMessage" and answer.status == 200:
            told = msgspec.json.decode(answer.body)
            self.handles += [each["ReceiptHandle"] for each in told.get("Messages", [])]
        return self.after(call, answer)

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that was killed hangs up: nothing to tell."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = Call(
            _name(self.command, self.path, self.headers.get("X-Amz-Target", ""), body), body
        )
        try:
            answer = self.server.answer(call, lambda: self._ask(body))
        except Gone:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _any  # noqa: N815

    def _ask(self, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _PASSED_ON}
        try:
            connection.request(self.command, self.path, body=body, headers=headers)
            answer = connection.getresponse()
            told = answer.read()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in _PASSED_ON}
        finally:
            connection.close()
        if self.command == "HEAD":
            kept["Content-Length"] = answer.headers.get("Content-Length", "0")
        return Answer(answer.status, kept, told)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _name(method: str, path: str, target: str, body: bytes) -> str:
    if target:
        operation = target.rpartition(".")[2]
        return f"{operation} task" if b"task#" in body else operation
    bucket = urlsplit(path).path.split("/")[1]
    return f"{method} {bucket.rpartition('-')[2]}"
