"""The instance metadata service, version 2 only. Silence is never an answer: it is retried, then
raised.
"""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from aws_parallelizer.core.errors import ParallelizerError

TOKEN_SECONDS = 21600
CALL_SECONDS = 5.0


class ImdsSilent(ParallelizerError):
    """The metadata service gave no answer in the time there was."""


class Notice(NamedTuple):
    """EC2 will take the instance back: `action` is terminate, stop or hibernate."""

    action: str
    at: datetime


class _Action(msgspec.Struct):
    action: str
    time: datetime


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
        found = self._get("/latest/meta-data/instance-id")
        if not found:
            raise ImdsSilent("the metadata service knows no instance id")
        return found.decode()

    def region(self) -> str:
        """The region that the instance runs in."""
        found = self._get("/latest/meta-data/placement/region")
        if not found:
            raise ImdsSilent("the metadata service knows no region")
        return found.decode()

    def notice(self) -> Notice | None:
        """The spot notice, None while there is none."""
        found = self._get("/latest/meta-data/spot/instance-action")
        if found is None:
            return None
        try:
            action = msgspec.json.decode(found, type=_Action)
        except msgspec.MsgspecError as error:
            raise ImdsSilent(f"the spot notice cannot be read: {error}") from error
        return Notice(action.action, action.time)

    def is_advised_to_leave(self) -> bool:
        """Whether EC2 sees a higher risk that it will take the spot instance back: a rebalance
        recommendation. It may never come, or come with the notice.
        """
        return self._get("/latest/meta-data/events/recommendations/rebalance") is not None

    def _get(self, path: str) -> bytes | None:
        last = ""
        for pause in self._pauses():
            try:
                if not self._token:
                    self._token = self._new_token()
                status, body = self._call("GET", path, {"X-aws-ec2-metadata-token": self._token})
            except (OSError, http.client.HTTPException) as error:
                last = str(error) or type(error).__name__
            else:
                if status in (200, 404):
                    return body if status == 200 else None
                last = f"HTTP {status}"
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
            return answer.status, answer.read()
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
