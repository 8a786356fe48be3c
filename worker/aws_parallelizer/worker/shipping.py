"""Sends a few chosen lines of the log to where people find them when the instance is gone: a stream
of its own in the stack's log group. All lines would cost money.

It has a thread of its own. The work never waits for it, and the worker's end for a moment at most.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.aws.log_stream import Line, LogStream
from aws_parallelizer.worker import logs

log = logging.getLogger(__name__)

_MOST_KEPT = 60  # an hour's; the oldest are given up


class Shipping(logging.Handler):
    """Sends the records that are `logs.SENT`, as JSON with the fields `always`. What cannot be sent
    goes with the next one. `open_stream` is called in the thread, when there is something to send.
    """

    def __init__(self, open_stream: Callable[[], LogStream], *, always: Mapping[str, str]) -> None:
        super().__init__()
        self.setFormatter(logs.JsonLines(always))
        self._open_stream = open_stream
        self._stream: LogStream | None = None
        self._kept: list[Line] = []
        self._guard = threading.Lock()
        self._news = threading.Event()
        self._is_over = False
        self._complains = True
        self._thread = threading.Thread(target=self._serve, name="shipping", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Have it sent soon, if it is one to send."""
        if not logs.is_sent(record):
            return
        line = Line(record.created, self.format(record))
        with self._guard:
            self._kept = [*self._kept, line][-_MOST_KEPT:]
        self._news.set()

    def hush(self) -> None:
        """Complain no more, for the log's last line is to be another's."""
        self._complains = False

    def end(self, seconds: float) -> None:
        """Blocking, for so many seconds at most, until all has been sent or tried once more."""
        self._is_over = True
        self._news.set()
        self._thread.join(seconds)

    def _serve(self) -> None:
        while self._news.is_set() or not self._is_over:
            self._news.wait()
            self._news.clear()
            with self._guard:
                lines, self._kept = self._kept, []
            if lines and not self._send(lines):
                with self._guard:
                    self._kept = [*lines, *self._kept][-_MOST_KEPT:]

    def _send(self, lines: list[Line]) -> bool:
        try:
            self._stream = self._stream or self._open_stream()
            self._stream.put(lines)
        except SERVICE_ERRORS as error:
            self._complain("metrics are not sent, and go with later ones: %s", error)
            return False
        except Exception as error:  # noqa: BLE001 - nobody foresaw it, and metrics are no reason to end
            self._complain("metrics are not sent, and nobody foresaw why: %r", error)
            return False
        return True

    def _complain(self, sentence: str, error: Exception) -> None:
        if self._complains:
            log.warning(sentence, error)
        self._complains = False  # or it would fill the console
