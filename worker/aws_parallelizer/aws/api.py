"""The control plane's HTTP API: signed as IAM wants it, repeated where that is harmless.

Every call may be repeated: GET, PUT and DELETE by their nature, POST because each carries an
Idempotency-Key of its own, so an answer that got lost on the way costs nothing.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ConnectionError as ConnectingError
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session

from aws_parallelizer.aws import sentences, signatures
from aws_parallelizer.core.errors import ParallelizerError

_TIMEOUTS_SECONDS = (5, 60)  # connect, read; API Gateway itself gives up after 29 s
_TRIES = 5
_PASSING = (429, 500, 502, 503, 504)


class ApiError(ParallelizerError):
    """The API refused a call, or could not be reached (`status` 0)."""

    def __init__(self, sentence: str, *, status: int, code: str) -> None:
        self.status = status
        self.code = code
        super().__init__(sentence)


class Api:
    """The gateway. Every method raises ApiError, whose text is a sentence for a person."""

    def __init__(
        self,
        session: Any,
        *,
        base: str,
        region: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session = session
        self._base = base.rstrip("/")
        self._region = region
        self._sleep = sleep
        self._http = URLLib3Session(timeout=_TIMEOUTS_SECONDS)

    def get(self, path: str, **query: str) -> Any:
        """The decoded answer; query values that are empty are left out."""
        return self._call("GET", path, query=query)

    def put(self, path: str, document: object) -> Any:
        """Create or change what is at `path`."""
        return self._call("PUT", path, document=document)

    def post(self, path: str, document: object) -> Any:
        """Ask for something to be done, once, however often the request has to be sent."""
        return self._call("POST", path, document=document, idempotency_key=str(uuid.uuid4()))

    def delete(self, path: str, **query: str) -> Any:
        """Remove what is at `path`."""
        return self._call("DELETE", path, query=query)

    def pages(self, path: str, **query: str) -> Iterator[Any]:
        """The answers of a listing, followed by `next` to its end."""
        following = ""
        while True:
            page = self.get(path, **query, next=following)
            yield page
            following = page.get("next") or ""
            if not following:
                return

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        document: object = None,
        idempotency_key: str = "",
    ) -> Any:
        given = {name: value for name, value in (query or {}).items() if value}
        url = self._base + quote(path) + ("?" + urlencode(given, quote_via=quote) if given else "")
        headers = {"Accept": "application/json"}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        body = b""
        if document is not None:
            headers["Content-Type"] = "application/json"
            body = msgspec.json.encode(document)
        return self._send_until_answered(method, url, headers=headers, body=body)

    def _send_until_answered(
        self, method: str, url: str, *, headers: dict[str, str], body: bytes
    ) -> Any:
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                status, answer = self._send(method, url, headers=headers, body=body)
            except (ConnectingError, HTTPClientError) as error:
                if last:
                    raise ApiError(_unreachable(self._base, error), status=0, code="") from error
            else:
                if status not in _PASSING or last:
                    return self._decoded(status, answer)
            self._sleep(random.uniform(0.5, 1) * 0.4 * 2**attempt)  # noqa: S311 - jitter
        raise AssertionError("the last try answers or raises")

    def _send(
        self, method: str, url: str, *, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise ApiError(sentences.NO_CREDENTIALS, status=0, code="")
        request = AWSRequest(method=method, url=url, headers=headers, data=body)
        frozen = credentials.get_frozen_credentials()
        SigV4Auth(frozen, "execute-api", self._region).add_auth(request)
        response = self._http.send(request.prepare())
        return response.status_code, response.content

    def _decoded(self, status: int, answer: bytes) -> Any:
        try:
            document = msgspec.json.decode(answer) if answer else {}
        except msgspec.DecodeError:
            document = {}  # a proxy's page in place of JSON: its status says what there is to say
        if 200 <= status < 300:
            return document
        fields = document if isinstance(document, dict) else {}
        code = str(fields.get("Code") or "")
        message = str(fields.get("Message") or fields.get("message") or f"HTTP status {status}")
        raise ApiError(self._sentence(status, message), status=status, code=code)

    def _sentence(self, status: int, message: str) -> str:
        if status == 403:
            hint = signatures.hint(message, base=self._base, region=self._region)
            return f"The API refused the call: {message.rstrip('. ')}. {hint}"
        if status >= 500:
            return f"The API failed, also when asked again: {message}."
        return message


def _unreachable(base: str, error: Exception) -> str:
    return f"The API at {base} does not answer: {error}"
