"""What `notify` is told of, and how often."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aws_parallelizer.core.job import Job
from aws_parallelizer.core.outcome import State
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.core.spending import Spending
from chalicelib import notices
from chalicelib.notices import Facts, News
from fakes.sns import FakeSns

TOPIC = "arn:aws:sns:us-east-1:000000000000:told"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNTS = {State.QUEUED: 0, State.RUNNING: 0, State.DONE: 1200, State.FAILED: 3, State.SKIPPED: 1}
SPENDING = Spending(dollars=5.031, at=NOW)


def job(**parameters: Any) -> Job:
    given = Parameters(
        environment_zip="e.zip", analysis_program="run.sh", notify=TOPIC, **parameters
    )
    return Job(name="photos", parameters=given, created=NOW)


def tell(sns: FakeSns, due: News, **changes: Any) -> tuple[News, str]:
    said = {
        "stack": "parallelizer",
        "counts": COUNTS,
        "spending": SPENDING,
        "sentence": "nothing runs",
        **changes,
    }
    return notices.tell(sns, changes.pop("job", None) or job(), due, **_without(said, "job"))


def _without(mapping: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key != name}


@pytest.mark.parametrize(
    ("facts", "event"),
    [
        (Facts(drained=True), "drained"),
        (Facts(stopped=True, held=True), "stopped"),
        (Facts(overspent=True), "budget"),
        (Facts(misconfigured="no such image"), "configuration"),
    ],
)
def test_each_event_is_told_once_while_it_holds(facts: Facts, event: str) -> None:
    first = notices.news((), facts)
    assert first == News((event,), ())
    assert notices.news((event,), facts) == News((), (event,))


@pytest.mark.parametrize(
    ("event", "over"),
    [
        ("drained", Facts(working=True)),
        ("stopped", Facts()),
        ("budget", Facts()),
        ("configuration", Facts()),
    ],
)
def test_an_event_that_holds_no_more_is_told_again_when_it_happens_anew(
    event: str, over: Facts
) -> None:
    assert notices.news((event,), over) == News((), ())


def test_a_reading_that_failed_does_not_make_a_drained_job_drain_again() -> None:
    assert notices.news(("drained",), Facts()) == News((), ("drained",))


def test_a_job_that_stops_slowly_is_told_when_nothing_runs_any_more() -> None:
    assert notices.news((), Facts(held=True)) == News((), ())
    assert notices.news(("stopped",), Facts(held=True)) == News((), ("stopped",))


def test_a_stored_word_that_is_no_event_any_more_is_dropped() -> None:
    assert notices.news(("exploded", "budget"), Facts(overspent=True)).told == ("budget",)


def test_several_events_at_once_are_all_told() -> None:
    facts = Facts(drained=True, overspent=True)
    assert notices.news((), facts).untold == ("drained", "budget")


def test_the_message_has_counts_and_cost_for_people_and_for_programs() -> None:
    sns = FakeSns()
    told, trouble = tell(sns, News(("drained",), ()), job=job(budget=10.0))
    assert (told, trouble) == (News((), ("drained",)), "")
    [message] = sns.sent
    assert message["TopicArn"] == TOPIC
    assert message["Subject"] == "parallelizer: job photos has no work left"
    for line in (
        "tasks    0 queued, 0 running, 1,200 done, 3 failed, 1 skipped",
        "spent    $5.03",
        "budget   $10.00",
        "status   nothing runs",
    ):
        assert line in message["Message"].splitlines()
    attributes = message["MessageAttributes"]
    assert attributes["event"] == {"DataType": "String", "StringValue": "drained"}
    assert attributes["spent"] == {"DataType": "Number", "StringValue": "5.031"}
    assert attributes["done"] == {"DataType": "Number", "StringValue": "1200"}


def test_a_cost_that_is_not_known_is_not_invented() -> None:
    sns = FakeSns()
    tell(sns, News(("stopped",), ()), spending=Spending())
    [message] = sns.sent
    assert "spent    not known yet" in message["Message"]
    assert "spent" not in message["MessageAttributes"]


def test_a_cost_that_lacks_a_price_is_told_as_the_least() -> None:
    sns = FakeSns()
    lacking = Spending(dollars=2.0, at=NOW, unpriced=("m9.huge",))
    tell(sns, News(("stopped",), ()), spending=lacking)
    assert "spent    at least $2.00" in sns.sent[0]["Message"]


def test_a_topic_that_fails_leaves_the_event_untold() -> None:
    sns = FakeSns(broken={TOPIC: "NotFound"})
    told, trouble = tell(sns, News(("drained",), ("budget",)))
    assert told == News(("drained",), ("budget",))
    assert "NotFound" in trouble


def test_a_job_that_never_had_a_task_has_not_drained() -> None:
    sns = FakeSns()
    told, _ = tell(sns, News(("drained",), ()), counts=dict.fromkeys(State, 0))
    assert (told, sns.sent) == (News((), ("drained",)), [])


def test_a_subject_of_the_longest_names_is_one_that_sns_takes() -> None:
    sns = FakeSns()
    long = Job(name="j" * 40, parameters=job().parameters, created=NOW)
    tell(sns, News(("configuration",), ()), job=long, stack="s" * 34)
    assert len(sns.sent) == 1
