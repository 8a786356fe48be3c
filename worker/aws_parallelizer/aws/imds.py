"""The instance metadata service, version 2 only. Silence is never an answer: it is retried, then
raised.
"""

from __future__ import annotations

import http.client
import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec

from aws_parallelizer.core.errors import ParallelizerError

T = TypeVar("T")

TOKEN_SECONDS = 21600
CALL_SECONDS = 5.0
_MOST_BYTES = 64 * 1024  # four times the most user data
_INSTANCE = re.compile(rb"i-[0-9a-z]+")
_REGION = re.compile(rb"[a-z0-9-]+")


class ImdsSilent(ParallelizerError):
    """The metadata service gave no answer in the time there was."""


class Notice(NamedTuple):
    """EC2 will take the instance back: `action` is terminate, stop or hibernate."""

    action: str
    at: datetime


class _Action(msgspec.Struct):
    action: str
    time: datetime


class _Advice(msgspec.Struct, rename="camel"):
    notice_time: datetime


class Imds:
    """One instance's metadata. Every method raises ImdsSilent after `patience` seconds without an
    answer.
    """

    def __init__(self, endpoint: str, *, patience: float = 60.0) -> None:
        self._host = urlsplit(endpoint)
        self._patience = patience
        self._token = ""

    def user_data(self) -> bytes:
        """The user data, empty if there is none."""
        return self._get("/latest/user-data") or b""

    def instance_id(self) -> str:
        """The instance's id."""
        return self._name("/latest/meta-data/instance-id", _INSTANCE, "instance id")

    def region(self) -> str:
        """The region that the instance runs in."""
        return self._name("/latest/meta-data/placement/region", _REGION, "region")

    def notice(self) -> Notice | None:
        """The spot notice, None while there is none."""
        found = self._get("/latest/meta-data/spot/instance-action")
        if found is None:
            return None
        action = _read_as(_Action, found, "spot notice")
        at = action.time if action.time.tzinfo else action.time.replace(tzinfo=UTC)
        return Notice(action.action, at)

    def is_advised_to_leave(self) -> bool:
        """Whether EC2 sees a higher risk that it will take the spot instance back: a rebalance
        recommendation. It may never come, or come with the notice.
        """
        found = self._get("/latest/meta-data/events/recommendations/rebalance")
        return found is not None and bool(_read_as(_Advice, found, "rebalance recommendation"))

    def _name(self, path: str, form: re.Pattern[bytes], what: str) -> str:
        def is_one(body: bytes) -> bool:
            return form.fullmatch(body) is not None

        found = self._get(path, is_sound=is_one)
        if not found:
            raise ImdsSilent(f"the metadata service knows no {what}")
        return found.decode()

    def _get(
        self, path: str, *, is_sound: Callable[[bytes], bool] = lambda _body: True
    ) -> bytes | None:
        last = ""
        for pause in self._pauses():
            try:
                if not self._token:
                    self._token = self._new_token()
                status, body = self._call("GET", path, {"X-aws-ec2-metadata-token": self._token})
            except (OSError, http.client.HTTPException, ValueError) as error:
                # ValueError: a token that no header can hold.
                last, self._token = str(error) or type(error).__name__, ""
            else:
                if status == 404:
                    return None
                if status == 200 and is_sound(body):
                    return body
                last = f"HTTP {status}" if status != 200 else f"{body[:100]!r}"
                if status == 401:
                    self._token = ""  # it ran out
            time.sleep(pause)
        raise ImdsSilent(f"no answer from the metadata service to {path}: {last}")

    def _new_token(self) -> str:
        status, body = self._call(
            "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
        )
        if status != 200:
            raise http.client.HTTPException(f"HTTP {status} instead of a token")
        return body.decode()

    def _call(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        port = self._host.port or 80
        connection = http.client.HTTPConnection(
            self._host.hostname or "", port, timeout=CALL_SECONDS
        )
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, _read(answer)
        finally:
            connection.close()

    def _pauses(self) -> Iterator[float]:
        end, pause = time.monotonic() + self._patience, 0.1
        while True:
            left = max(0.0, end - time.monotonic())
            yield min(pause, left) * random.uniform(0.5, 1)  # noqa: S311 - jitter
            if time.monotonic() >= end:
                return
            pause = min(pause * 2, 5.0)


def _read_as(form: type[T], found: bytes, what: str) -> T:
    try:
        return msgspec.json.decode(found, type=form)
    except msgspec.MsgspecError as error:
        raise ImdsSilent(f"the {what} cannot be read: {error}") from error


def _read(answer: http.client.HTTPResponse) -> bytes:
    # A socket's timeout is for each piece of an answer, and there may be any number of them.
    end, body = time.monotonic() + CALL_SECONDS, b""
    told = answer.length  # None: to the connection's end
    most = _MOST_BYTES + 1 if told is None else min(told, _MOST_BYTES + 1)
    while left := most - len(body):
        piece = answer.read1(left)
        if not piece:
            break
        body += piece
        if time.monotonic() > end:
            raise TimeoutError(f"an answer that takes more than {CALL_SECONDS} s")
    if len(body) > _MOST_BYTES:
        raise http.client.HTTPException(f"an answer of more than {_MOST_BYTES} bytes")
    if told is not None and len(body) < told:
        raise http.client.IncompleteRead(body, told - len(body))
    return body
