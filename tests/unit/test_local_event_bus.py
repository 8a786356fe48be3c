"""The local EventBridge: a warning reaches the functions whose rules ask for it, and no others."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib import spot_events
from local.event_bus import EventBus, interruption_warning
from local.metadata import Identity, Notice
from waiting import until

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDENTITY = Identity(
    instance="i-0abc",
    type="c5.large",
    image="ami-1",
    region="us-east-1",
    zone="us-east-1a",
    account="000000000000",
    address="10.0.0.1",
    life_cycle="spot",
    role=None,
    user_data=None,
)
WARNING = interruption_warning(IDENTITY, Notice(action="stop", at=NOW), now=NOW)


class FakeEvents:
    """Rules by name, each with a pattern that fits or does not; a rule's target bears its name."""

    RULES = (
        {"Name": "fits", "State": "ENABLED", "EventPattern": "spot"},
        {"Name": "other", "State": "ENABLED", "EventPattern": "other"},
        {"Name": "off", "State": "DISABLED", "EventPattern": "spot"},
        {"Name": "clock", "State": "ENABLED", "ScheduleExpression": "rate(1 minute)"},
    )

    def list_rules(self) -> dict[str, Any]:
        return {"Rules": self.RULES}

    def test_event_pattern(self, *, EventPattern: str, Event: str) -> dict[str, Any]:  # noqa: N803
        assert json.loads(Event) == WARNING
        return {"Result": EventPattern == "spot"}

    def list_targets_by_rule(self, *, Rule: str) -> dict[str, Any]:  # noqa: N803
        return {"Targets": [{"Id": "1", "Arn": f"function-{Rule}"}]}


class FakeLambda:
    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self._error = error

    def invoke(self, **call: Any) -> None:
        self.calls.append(call)
        if self._error:
            raise self._error


def test_a_warning_reaches_the_functions_whose_rules_ask_for_it() -> None:
    functions = FakeLambda()
    EventBus(FakeEvents(), functions).tell(WARNING)
    until(lambda: functions.calls, seconds=60, what="a function is invoked")
    [call] = functions.calls
    assert (call["FunctionName"], call["InvocationType"]) == ("function-fits", "Event")
    mark = spot_events.decode(json.loads(call["Payload"]))
    assert (mark.instance, mark.action, mark.at) == ("i-0abc", "stop", NOW)


def test_a_warning_that_cannot_be_told_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    functions = FakeLambda(ConnectionError("gone"))
    EventBus(FakeEvents(), functions).tell(WARNING)
    until(lambda: "could not be told" in caplog.text, seconds=60, what="the failure is logged")
    assert not [one for one in threading.enumerate() if one.name == "event" and not one.daemon]
