"""What a program writes, in flat memory: its last words, its log, and the lines that may name an
output.

A line of standard output names an output if there is such a file at the end, so lines are kept
until then; when they take more than a few megabytes, those that name nothing at that moment are let
go.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from aws_parallelizer.core.errors import BadOutput
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
        self._too_many = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of standard output."""
        *lines, rest = chunk.split(b"\n")
        if not lines:
            self._keep_rest(self._rest + rest)
            return
        self._end_line(self._rest + lines[0])
        # A flood of lines is one of empty or equal ones more often than not.
        for line in dict.fromkeys(lines[1:]):
            self._end_line(line)
        self._keep_rest(rest)

    def close(self) -> list[bytes]:
        """All lines, the last one also without a line end; raises BadOutput above MAX_NAMES."""
        self._end_line(self._rest)
        if self._too_many:
            raise BadOutput(f"the program named more than {MAX_NAMES:,} outputs")
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
            self._too_many = True
            self._lines.clear()


class Log:
    """Everything that was written, up to LOG_BYTES; in memory while it is short."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed with the attempt
            max_size=LOG_IN_MEMORY_BYTES, dir=str(folder)
        )
        self._left = LOG_BYTES

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self._left <= 0:
            return
        try:
            self._file.write(chunk[: self._left])
            self._left -= len(chunk)
        except OSError as error:
            # The attempt goes on: if the disk is full, it will say so by itself.
            log.warning("the log of an attempt ends early: %s", error)
            self._left = -1

    def save(self, path: Path) -> bool:
        """Write the log to a file; whether there is one."""
        if self._left == LOG_BYTES:
            return False
        self._file.seek(0)
        with path.open("wb") as file:
            shutil.copyfileobj(self._file, file)
        return True

    def close(self) -> None:
        """Let it go."""
        self._file.close()


class Transcript:
    """Both streams of one program."""

    def __init__(self, exists: Callable[[bytes], bool], *, log: Log | None) -> None:
        self.names = Names(exists)
        self._tail = bytearray()
        self._log = log

    def out(self, chunk: bytes) -> None:
        """Bytes of standard output."""
        self.names.feed(chunk)
        self.error(chunk)

    def error(self, chunk: bytes) -> None:
        """Bytes of standard error."""
        self._tail += chunk[-LAST_OUTPUT_BYTES:]
        del self._tail[:-LAST_OUTPUT_BYTES]
        if self._log:
            self._log.feed(chunk)

    def last_output(self) -> str:
        """The last 4 KiB of both streams as they came."""
        return self._tail.decode(errors="replace")
