"""A mapping is switched when Lambda lets it be, and is off when that is said."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

import emulator
from aws_parallelizer.aws.triggers import Triggers

NOWHERE = "http://127.0.0.1:1"
UUID = "0" * 36


class Mapping:
    """One mapping whose states the test gives, one a look."""

    def __init__(self) -> None:
        self.client = emulator.client("lambda", NOWHERE)
        self.stub = Stubber(self.client)
        self.slept: list[float] = []

    def looks(self, *states: str) -> Mapping:
        for state in states:
            self.stub.add_response("get_event_source_mapping", {"State": state}, {"UUID": UUID})
        return self

    def is_set(self, *, on: bool) -> Mapping:
        wanted = {"UUID": UUID, "Enabled": on}
        self.stub.add_response("update_event_source_mapping", {"State": "Updating"}, wanted)
        return self

    def switch(self, *, on: bool) -> bool:
        with self.stub:
            switched = Triggers(self.client, None, sleep=self.slept.append).switch_mapping(
                UUID, on=on
            )
        self.stub.assert_no_pending_responses()
        return switched


def test_it_waits_until_the_mapping_rests() -> None:
    mapping = Mapping().looks("Creating", "Enabled").is_set(on=False)
    mapping.looks("Disabling", "Disabling", "Disabled")
    assert mapping.switch(on=False) is True
    assert len(mapping.slept) == 3


@pytest.mark.parametrize(("state", "on"), [("Disabled", False), ("Enabled", True)])
def test_what_is_so_already_is_not_switched(state: str, on: bool) -> None:
    assert Mapping().looks(state).switch(on=on) is False


def test_a_mapping_that_is_gone_is_harmless() -> None:
    mapping = Mapping()
    mapping.stub.add_client_error("get_event_source_mapping", "ResourceNotFoundException")
    assert mapping.switch(on=False) is False


def rules(*calls: tuple[str, dict[str, Any]], missing: bool = False) -> Triggers:
    client = emulator.client("events", NOWHERE)
    stub = Stubber(client)
    if missing:
        stub.add_client_error("describe_rule", "ResourceNotFoundException")
    for operation, answer in calls:
        stub.add_response(operation, answer, {"Name": "r"})
    stub.activate()
    return Triggers(None, client)


def test_a_rule_is_switched_once() -> None:
    running = rules(("describe_rule", {"State": "ENABLED"}), ("disable_rule", {}))
    assert running.switch_rule("r", on=False) is True
    assert rules(("describe_rule", {"State": "DISABLED"})).switch_rule("r", on=False) is False
    assert rules(missing=True).switch_rule("r", on=True) is False
