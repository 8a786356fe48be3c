"""What EC2 says of spot instances: marks, once each, and never a crash loop."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client
from hypothesis import given
from hypothesis import strategies as st

import app as door
from aws_parallelizer.core.errors import Conflict
from aws_parallelizer.core.fleet import Mark
from chalicelib import spot_events
from chalicelib.spot_events import NoSpotEvent, decode, newer
from desks import Desk

WARNING = "EC2 Spot Instance Interruption Warning"
ADVICE = "EC2 Instance Rebalance Recommendation"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(
    action: str = "terminate", *, instance: str = "i-0abc", at: datetime = AT, **changes: Any
) -> dict[str, Any]:
    """An event as EventBridge hands it over."""
    advice = action == "rebalance"
    detail = {"instance-id": instance, **({} if advice else {"instance-action": action})}
    return {
        "version": "0",
        "id": "12345678-1234-1234-1234-123456789012",
        "detail-type": ADVICE if advice else WARNING,
        "source": "aws.ec2",
        "account": "123456789012",
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-2",
        "resources": [f"arn:aws:ec2:us-east-2:123456789012:instance/{instance}"],
        "detail": detail,
        **changes,
    }


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in event().items() if key != name}


BROKEN: list[object] = [
    None,
    [],
    {},
    "text",
    *(without(name) for name in ("detail-type", "source", "time", "detail")),
    {**event(), "detail": None},
    {**event(), "detail": {"instance-id": "i-0abc"}},
    {**event(), "detail": {"instance-action": "stop"}},
    {**event(), "detail": {"instance-id": 7, "instance-action": "stop"}},
    {**event(), "time": "yesterday"},
    {**event(), "time": "2026-03-01T12:00:00"},
    {**event(), "time": "0001-01-01T00:00:00+23:00"},
    {**event(), "\ud800": 1},
    event(source="my.own"),
    event("crumble"),
    event(instance="i-0abc\n"),
    event(instance="../mark"),
    event(instance="i-" + "0" * 2000),
    {**event(), "detail-type": "EC2 Instance State-change Notification"},
]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(door, "_context", lambda: desk.context)
    return desk


def invoke(told: object) -> object:
    with Client(door.app, project_dir=str(Path(door.__file__).parent)) as client:
        return client.lambda_.invoke("on_spot_event", told).payload


@pytest.mark.parametrize("action", ["terminate", "stop", "hibernate", "rebalance"])
def test_a_warning_marks_its_instance_and_wakes_reconcile(desk: Desk, action: str) -> None:
    assert invoke(event(action)) is None
    [mark] = desk.context.registry.marks()
    assert (mark.instance, mark.action, mark.at) == ("i-0abc", action, AT)
    assert desk.steps.delays == [10]


def test_a_strangers_instance_is_marked_too_and_nothing_asks_ec2(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(desk.world), "clients", property(lambda world: {}))
    spot_events.take(desk.context, event(instance="i-0f00"))
    assert [mark.instance for mark in desk.context.registry.marks()] == ["i-0f00"]


def test_a_warning_that_comes_twice_changes_nothing(desk: Desk) -> None:
    for _ in range(3):
        spot_events.take(desk.context, event("stop"))
    [mark] = desk.context.registry.marks()
    assert mark.version == 1
    desk.world.ec2.pass_time(60)
    spot_events.take(desk.context, event("stop"))
    assert desk.steps.delays == [10]


def test_a_storm_of_warnings_wakes_reconcile_once(desk: Desk) -> None:
    for number in range(50):
        desk.world.ec2.now += timedelta(milliseconds=100)
        spot_events.take(desk.context, event(instance=f"i-{number:x}"))
    assert len(desk.context.registry.marks()) == 50
    assert desk.steps.delays == [10]


@pytest.mark.parametrize("told", BROKEN)
def test_what_is_no_spot_event_is_logged_once_and_acknowledged(
    desk: Desk, told: object, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert invoke(told) is None
    [record] = [record for record in caplog.records if record.name == spot_events.__name__]
    assert record.levelname == "WARNING"
    assert not desk.context.registry.marks()
    assert not desk.steps.delays


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    told=_JSON
    | st.fixed_dictionaries(
        {},
        optional={
            "detail-type": st.sampled_from([WARNING, ADVICE]) | _JSON,
            "source": st.just("aws.ec2") | _JSON,
            "time": st.datetimes().map(lambda at: at.isoformat() + "Z") | _JSON,
            "detail": st.fixed_dictionaries(
                {"instance-id": st.from_regex(r"i-[0-9a-f]+") | _JSON},
                optional={"instance-action": st.sampled_from(["stop", "terminate"]) | _JSON},
            )
            | _JSON,
        },
    )
)
def test_whatever_comes_is_a_mark_or_a_refusal(told: object) -> None:
    try:
        mark = decode(told)
    except NoSpotEvent:
        return
    assert mark.instance.startswith("i-")
    assert mark.instance.isascii()
    assert mark.action in ("terminate", "stop", "hibernate", "rebalance")
    assert mark.at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("standing", "said", "seconds_later", "stands"),
    [
        ("rebalance", "terminate", 60, "terminate"),
        ("rebalance", "terminate", 0, "terminate"),
        ("rebalance", "terminate", -1, "terminate"),  # the advice was late
        ("terminate", "rebalance", -60, "terminate"),
        ("terminate", "rebalance", 60, "terminate"),
        ("stop", "stop", 0, "stop"),
        ("stop", "terminate", -60, "stop"),
        ("stop", "terminate", 3600, "terminate"),
    ],
)
def test_advice_never_takes_the_place_of_a_warning_nor_an_older_word_of_a_newer(
    desk: Desk, standing: str, said: str, seconds_later: int, stands: str
) -> None:
    spot_events.take(desk.context, event(standing))
    spot_events.take(desk.context, event(said, at=AT + timedelta(seconds=seconds_later)))
    [mark] = desk.context.registry.marks()
    assert mark.action == stands


def test_an_instance_that_ran_again_is_warned_anew() -> None:
    old = Mark(instance="i-1", action="stop", at=AT, version=4)
    again = newer(Mark(instance="i-1", action="stop", at=AT + timedelta(days=1)), old)
    assert again == Mark(instance="i-1", action="stop", at=AT + timedelta(days=1), version=4)


def test_two_events_at_once_end_with_the_graver_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = desk.context.registry
    put = registry.put_mark

    def overtaken(mark: Mark) -> Mark:
        monkeypatch.undo()
        put(Mark(instance="i-0abc", action="rebalance", at=AT))
        return put(mark)

    monkeypatch.setattr(registry, "put_mark", overtaken)
    spot_events.take(desk.context, event("terminate"))
    [mark] = registry.marks()
    assert (mark.action, mark.version) == ("terminate", 2)


def test_a_mark_that_cannot_be_written_fails_visibly(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(mark: Mark) -> Mark:
        raise Conflict("as ever")

    monkeypatch.setattr(desk.context.registry, "put_mark", refused)
    with pytest.raises(Conflict, match="i-0abc"):
        spot_events.take(desk.context, event())
