"""Errors in the place of AWS's answers, under the SDK: its own retries are in the test."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

import emulator


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


class _Lost:
    """An answer that does not arrive, of a call that was carried out."""


class Faults:
    """What a client's next calls are answered, by operation; the others reach the emulator.

    `sent` counts what the SDK sent, retries too.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.sent: Counter[str] = Counter()
        self._next: dict[str, deque[AWSResponse | _Lost | None]] = defaultdict(deque)
        client.meta.events.register("before-send", self._before_send)

    def fail(self, operation: str, code: str, *, status: int = 400, times: int = 1) -> None:
        """The next `times` answers are this error; `AWS.`-codes are SQS's."""
        body = {"__type": code.rpartition(".")[2], "message": f"{code} it is"}
        headers = {"x-amzn-query-error": f"{code};Sender"}
        for _ in range(times):
            self.answer(operation, body, status=status, headers=headers)

    def answer(
        self,
        operation: str,
        document: object,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        """The next answer is this document."""
        raw = _Raw(json.dumps(document).encode())
        self._next[operation].append(AWSResponse("https://aws", status, headers or {}, raw))

    def hang(self, operation: str, *, times: int = 1) -> None:
        """The next answers do not come in time."""
        self._next[operation].extend([None] * times)

    def lose(self, operation: str, *, times: int = 1) -> None:
        """The next calls are carried out, and their answers get lost."""
        self._next[operation].extend([_Lost()] * times)

    def forgive(self) -> None:
        """From now on every call reaches the emulator."""
        self._next.clear()

    def _before_send(
        self, request: AWSPreparedRequest, event_name: str, **_: object
    ) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        self.sent[operation] += 1
        if not self._next[operation]:
            return None
        answer = self._next[operation].popleft()
        if isinstance(answer, _Lost):
            self.client._endpoint.http_session.send(request)
        if answer is None or isinstance(answer, _Lost):
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer


def client(service: str, endpoint: str, *, attempts: int = 2) -> Faults:
    """A client with the SDK's standard retries, as `aws.clients` makes them."""
    made = boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=emulator.REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
    )
    return Faults(made)
