"""What a program writes, in flat memory: its last words, its log, and the lines that may name an output.

A line of standard output names an output if there is such a file at the end, so lines are kept until then; when they
take more than a few megabytes, those that name nothing at that moment are let go.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

from aws_parallelizer.core.task import LAST_OUTPUT_BYTES

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 8 * 1024  # a longer one cannot be a path: Linux takes 4,096 bytes
MAX_LINES = 50_000
MAX_LINES_BYTES = 8 * 1024 * 1024
MAX_NAMES = 10_000
LOG_BYTES = 64 * 1024 * 1024
LOG_IN_MEMORY_BYTES = 64 * 1024


class Names:
    """The lines of standard output that may name an output, each once, in their order."""

    def __init__(self, exists: Callable[[bytes], bool]) -> None:
        self._exists = exists
        self._lines: dict[bytes, None] = {}
        self._bytes = 0
        self._rest = b""
        self._overlong = False
        self.too_many = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of standard output."""
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._end_line(self._rest + line)
        self._keep_rest(rest if lines else self._rest + rest)

    def close(self) -> list[bytes]:
        """All lines, the last one also without a line end."""
        self._end_line(self._rest)
        return list(self._lines)

    def _end_line(self, line: bytes) -> None:
        usable = line and not self._overlong and len(line) <= MAX_LINE_BYTES
        self._rest, self._overlong = b"", False
        if usable and line not in self._lines:
            self._lines[line] = None
            self._bytes += len(line)
            if len(self._lines) > MAX_LINES or self._bytes > MAX_LINES_BYTES:
                self._let_go()

    def _keep_rest(self, rest: bytes) -> None:
        self._overlong = self._overlong or len(rest) > MAX_LINE_BYTES
        self._rest = b"" if self._overlong else rest

    def _let_go(self) -> None:
        self._lines = {line: None for line in self._lines if self._exists(line)}
        self._bytes = sum(map(len, self._lines))
        if len(self._lines) > MAX_NAMES:
            self.too_many = True
            self._lines.clear()


class Transcript:
    """Both streams of one program. `spool` is where a log is kept, None = keep none."""

    def __init__(self, exists: Callable[[bytes], bool], *, spool: Path | None) -> None:
        self.names = Names(exists)
        self._tail = bytearray()
        self._left = LOG_BYTES
        self._log = (
            tempfile.SpooledTemporaryFile(max_size=LOG_IN_MEMORY_BYTES, dir=str(spool))
            if spool
            else None
        )

    def out(self, chunk: bytes) -> None:
        """Bytes of standard output."""
        self.names.feed(chunk)
        self.error(chunk)

    def error(self, chunk: bytes) -> None:
        """Bytes of standard error."""
        self._tail += chunk[-LAST_OUTPUT_BYTES:]
        del self._tail[:-LAST_OUTPUT_BYTES]
        if self._log and self._left > 0:
            self._write(chunk[: self._left])

    def last_output(self) -> str:
        """The last 4 KiB of both streams as they came."""
        return self._tail.decode(errors="replace")

    def save(self, path: Path) -> bool:
        """Write the log to a file; whether there is one."""
        if not self._log or self._left == LOG_BYTES:
            return False
        self._log.seek(0)
        with path.open("wb") as file:
            while chunk := self._log.read(LOG_IN_MEMORY_BYTES):
                file.write(chunk)
        return True

    def close(self) -> None:
        """Let the log go."""
        if self._log:
            self._log.close()

    def _write(self, chunk: bytes) -> None:
        assert self._log is not None
        try:
            self._log.write(chunk)
            self._left -= len(chunk)
        except OSError as error:
            # The attempt goes on: if the disk is full, it will say so by itself.
            log.warning("the log of an attempt ends early: %s", error)
            self._left = 0
