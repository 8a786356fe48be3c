"""What of the worker's log is sent to the stack's log group, and what befalls it on the way."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_parallelizer.worker import logs, shipping
from aws_parallelizer.worker.shipping import Shipping
from fakes.log_stream import FakeLogStream
from waiting import until

log = logging.getLogger("aws_parallelizer.worker.tests")
NEVER = 0.0


class Harbour:
    """A log whose chosen lines are sent to a stream."""

    def __init__(self) -> None:
        self.stream = FakeLogStream()
        self.opened = 0
        self.shipping = Shipping(self.open, always={"job": "photos", "instance": "i-1"})

    def open(self) -> Any:
        self.opened += 1
        return self.stream

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(line.text) for line in self.stream.lines]

    @property
    def said(self) -> list[str]:
        return [line["message"] for line in self.sent]

    def say(self, sentence: str, **fields: object) -> None:
        log.info(sentence, extra={"fields": fields, **logs.SENT})


@pytest.fixture
def harbour(caplog: pytest.LogCaptureFixture) -> Iterator[Harbour]:
    found = Harbour()
    root = logging.getLogger()
    root.addHandler(found.shipping)
    with caplog.at_level(logging.INFO):
        yield found
    root.removeHandler(found.shipping)
    found.stream.free.set()
    found.shipping.end(20)
    assert not found.shipping._thread.is_alive()


def refused() -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutLogEvents")


def arrived(harbour: Harbour, sentences: list[str]) -> Callable[[], bool]:
    return lambda: harbour.said == sentences


def test_only_chosen_lines_are_sent_as_they_stand_in_the_log(harbour: Harbour) -> None:
    log.info("task ended")
    log.error("this may be long, and there may be many")
    harbour.say("3 tasks ended", Done=3)
    until(arrived(harbour, ["3 tasks ended"]), seconds=60)
    [line] = harbour.sent
    assert (line["job"], line["instance"], line["Done"]) == ("photos", "i-1", 3)
    assert line["level"] == "INFO"
    assert abs(harbour.stream.lines[0].at - time.time()) < 60


def test_nothing_is_opened_before_there_is_something_to_send(harbour: Harbour) -> None:
    log.info("task ended")
    harbour.shipping.end(20)
    assert (harbour.opened, harbour.stream.calls) == (0, 0)


def test_the_last_line_has_been_sent_when_the_worker_ends(harbour: Harbour) -> None:
    harbour.say("the worker ends and shuts the instance down: the queue had nothing")
    harbour.shipping.end(20)
    assert len(harbour.said) == 1


def test_what_is_refused_goes_with_the_next_line_and_is_complained_of_once(
    harbour: Harbour, caplog: pytest.LogCaptureFixture
) -> None:
    harbour.stream.failures = [refused(), refused()]
    for number, sentence in enumerate(["one", "two"], start=1):
        harbour.say(sentence)
        until(lambda number=number: harbour.stream.calls == number, seconds=60)
    harbour.say("three")
    until(arrived(harbour, ["one", "two", "three"]), seconds=60)
    assert sum("AccessDenied" in message for message in caplog.messages) == 1


def test_no_complaint_comes_after_the_sentence_that_says_why_the_worker_ends(
    harbour: Harbour, caplog: pytest.LogCaptureFixture
) -> None:
    harbour.stream.failures = [refused(), refused()]
    harbour.shipping.hush()
    harbour.say("the worker ends")
    harbour.shipping.end(20)
    assert caplog.messages == ["the worker ends"]


def test_what_nobody_foresaw_ends_no_sending(harbour: Harbour) -> None:
    harbour.stream.failures = [RuntimeError("a bug")]
    harbour.say("one")
    until(lambda: harbour.stream.calls == 1, seconds=60)
    harbour.say("two")
    until(arrived(harbour, ["one", "two"]), seconds=60)


def test_a_stream_that_takes_nothing_for_hours_costs_no_more_than_an_hours_lines(
    harbour: Harbour,
) -> None:
    harbour.stream.free.clear()
    harbour.say("the first")
    until(lambda: harbour.stream.calls == 1, seconds=60)
    harbour.stream.failures = [refused()]
    for number in range(2 * shipping._MOST_KEPT):
        harbour.say(str(number))
    assert len(harbour.shipping._kept) == shipping._MOST_KEPT
    harbour.stream.free.set()
    harbour.shipping.end(20)
    kept = range(shipping._MOST_KEPT, 2 * shipping._MOST_KEPT)
    assert harbour.said == [str(number) for number in kept]


def test_a_stream_that_hangs_holds_up_neither_the_log_nor_the_end(harbour: Harbour) -> None:
    harbour.stream.free.clear()
    harbour.say("one")
    until(lambda: harbour.stream.calls == 1, seconds=60)
    harbour.say("two")  # a thread of the worker's, which goes on
    harbour.shipping.end(NEVER)
    assert harbour.said == []
    harbour.stream.free.set()
    until(arrived(harbour, ["one", "two"]), seconds=60)


def test_what_was_refused_before_the_end_is_tried_once_more_at_it(harbour: Harbour) -> None:
    harbour.stream.failures = [refused()]
    harbour.say("one")
    until(lambda: harbour.stream.calls == 1, seconds=60)
    harbour.shipping.end(20)
    assert harbour.said == ["one"]
