"""A stream of a log group in memory: `aws.log_stream.LogStream`'s method and promises."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from aws_parallelizer.aws.log_stream import Line


class FakeLogStream:
    """Fails as often as a test wants, and hangs as long as it is not `free`."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.calls = 0
        self.failures: list[Exception] = []
        self.free = threading.Event()
        self.free.set()

    def put(self, lines: Iterable[Line]) -> None:
        self.calls += 1
        self.free.wait(20)
        if self.failures:
            raise self.failures.pop(0)
        self.lines += sorted(lines, key=lambda line: line.at)
