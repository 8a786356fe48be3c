"""Invokes the deployed reconcile function every two seconds: EventBridge's shortest is a minute."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local.metadata import stamp
from local.settings import ACCOUNT, REGION

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 2.0


class Ticker:
    """A thread, from its making until `stop`. A failure is said once, until there is another."""

    def __init__(
        self,
        client: Any,
        *,
        function: str,
        say: Callable[[str], None],
        every: float = INTERVAL_SECONDS,
    ) -> None:
        self._client = client
        self._function = function
        self._say = say
        self._every = every
        self._last = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more ticks; one that is under way may end by itself."""
        self._done.set()

    def _run(self) -> None:
        while not self._done.wait(self._every):
            self._report(self._tick())

    def _tick(self) -> str:
        """Invoke once; what went wrong, or nothing."""
        payload = json.dumps(scheduled_event(datetime.now(UTC))).encode()
        try:
            answer = self._client.invoke(FunctionName=self._function, Payload=payload)
        except Exception as error:
            # The next tick tries again; the cloud is of use without it, and says so.
            log.debug("reconcile was not invoked", exc_info=True)
            return f"reconcile was not invoked: {error}"
        if "FunctionError" not in answer:
            return ""
        return f"reconcile failed: {answer['Payload'].read().decode(errors='replace')[:2000]}"

    def _report(self, problem: str) -> None:
        if problem and problem != self._last and not self._done.is_set():
            self._say(problem)
        self._last = problem


def scheduled_event(now: datetime) -> dict[str, Any]:
    """What EventBridge's schedule would send."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": stamp(now),
        "region": REGION,
        "resources": [],
        "detail": {},
    }
