"""A stream of a log group, in CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class Line(NamedTuple):
    """One event; `at` is in seconds since 1970."""

    at: float
    text: str


class LogStream:
    """The gateway. Every method raises botocore's ClientError or BotoCoreError."""

    def __init__(self, client: Any, *, group: str, stream: str) -> None:
        self._client = client
        self._place = {"logGroupName": group, "logStreamName": stream}

    def put(self, lines: Iterable[Line]) -> None:
        """Store them, 10,000 and 1 MiB at most. The stream is made if it is not there; the group is
        not. Lines whose answer was lost may be stored twice.
        """
        # CloudWatch Logs refuses what is not in the order of time, and a clock may be set back.
        events = [
            {"timestamp": int(line.at * 1000), "message": line.text}
            for line in sorted(lines, key=lambda line: line.at)
        ]
        try:
            self._client.put_log_events(**self._place, logEvents=events)
        except self._client.exceptions.ResourceNotFoundException:
            self._make()
            self._client.put_log_events(**self._place, logEvents=events)

    def _make(self) -> None:
        try:
            self._client.create_log_stream(**self._place)
        except self._client.exceptions.ResourceAlreadyExistsException:
            return
