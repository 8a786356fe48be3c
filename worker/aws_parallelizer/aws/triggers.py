"""What starts the functions by itself: mappings of queues, and rules of schedules and events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

_SETTLED = ("Enabled", "Disabled")
_POLL_SECONDS = 1.0


class Triggers:
    """The gateway. Every method raises botocore's ClientError or BotoCoreError; what is gone is
    harmless.
    """

    def __init__(
        self, lambda_client: Any, events_client: Any, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._lambda = lambda_client
        self._events = events_client
        self._sleep = sleep

    def switch_mapping(self, uuid: str, *, on: bool) -> bool:
        """Let the mapping of a queue run or rest, and wait until it does; whether that was new."""
        wanted = "Enabled" if on else "Disabled"
        found = self._settled(uuid)
        if found in ("", wanted):
            return False
        self._lambda.update_event_source_mapping(UUID=uuid, Enabled=on)
        self._settled(uuid)
        return True

    def switch_rule(self, name: str, *, on: bool) -> bool:
        """Let a rule run or rest; whether that was new."""
        try:
            state = self._events.describe_rule(Name=name)["State"]
        except self._events.exceptions.ResourceNotFoundException:
            return False
        if (state == "ENABLED") == on:
            return False
        (self._events.enable_rule if on else self._events.disable_rule)(Name=name)
        return True

    def _settled(self, uuid: str) -> str:
        """The mapping's state once it is not about to change; empty for one that is gone."""
        while True:
            try:
                state = str(self._lambda.get_event_source_mapping(UUID=uuid)["State"])
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise
                return ""
            if state in _SETTLED:
                return state
            self._sleep(_POLL_SECONDS)
