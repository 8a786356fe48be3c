"""The worker's log on standard error, which is the instance's console and journal: JSON for
machines, text for people.

A line says what it is about: the job and the instance always, key and attempt where it is about one
task, even when it comes from code that knows nothing of tasks.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

import msgspec

from aws_parallelizer.worker.work import Work

JSON, TEXT = "json", "text"
KINDS = (JSON, TEXT)
SENT = {"sent": True}  # `extra` of a record that goes to the stack's log group, too

_work: ContextVar[Work | None] = ContextVar("work", default=None)


@contextmanager
def about(work: Work) -> Iterator[None]:
    """Lines that are logged in it, and in what it begins, are about this task."""
    before = _work.set(work)
    try:
        yield
    finally:
        _work.reset(before)


def is_sent(record: logging.LogRecord) -> bool:
    """Whether it was logged as SENT."""
    return bool(getattr(record, "sent", False))


class _Lines(logging.Formatter):
    """`always` are fields of every line; `extra={"fields": {...}}` adds a line's own."""

    def __init__(self, always: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._always = {name: value for name, value in (always or {}).items() if value}

    def fields(self, record: logging.LogRecord) -> dict[str, object]:
        """All of a record's fields."""
        work = _work.get()
        own: Mapping[str, object] = getattr(record, "fields", {})
        return {**self._always, **(work.fields if work else {}), **own}


class JsonLines(_Lines):
    """One object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self.fields(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        try:
            return msgspec.json.encode(line).decode()
        except UnicodeEncodeError:  # the name of a file that is not UTF-8
            return json.dumps(line, default=str)


class TextLines(_Lines):
    """A line of words a record, in UTC, with its traceback below. Names from outside move no cursor
    and begin no line.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        when = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        said = {name: value for name, value in self.fields(record).items() if name[0] != "_"}
        fields = "".join(f"  {name}={_quoted(value)}" for name, value in said.items())
        lines = [f"{when} {record.levelname:7} {record.getMessage()}{fields}"]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        return "\n".join(_printable(line) for line in lines)


def _quoted(value: object) -> str:
    text = str(value)
    return text if text and " " not in text else repr(text)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def start(kind: str = "", *, always: Mapping[str, str] | None = None) -> None:
    """Send every record from INFO on to standard error, as one of KINDS; by default as text if a
    terminal is there to read it. `always` are fields of every line.
    """
    kind = kind or (TEXT if sys.stderr.isatty() else JSON)
    handler = logging.StreamHandler()
    handler.setFormatter(TextLines(always) if kind == TEXT else JsonLines(always))
    # What no line has need not be found out for each: https://docs.python.org/3/howto/logging.html
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("botocore").setLevel(logging.WARNING)
