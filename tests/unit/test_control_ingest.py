"""Uploads become tasks: one row, one message, whatever S3 and SQS repeat or lose."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import cast

import pytest
from botocore.exceptions import EndpointConnectionError

from aws_parallelizer.core import task
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import State
from chalicelib import ingest
from chalicelib.ingest import Told
from desks import BUCKET, Desk
from fakes.queue import FakeQueue


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.make()
    return desk


def test_an_upload_becomes_one_row_and_one_message(desk: Desk) -> None:
    assert desk.upload({"key": "job/a+b", "eTag": "e1", "size": 7}) == []
    row = desk.world.row("job/a b")
    assert (row.state, row.etag, row.size, row.sequencer) == (State.QUEUED, "e1", 7, "01")
    assert desk.sent() == [Message(key="job/a b", bucket=BUCKET, job="job", etag="e1", size=7)]


def test_the_same_event_twice_sends_one_message(desk: Desk) -> None:
    desk.upload({"key": "job/a"})
    desk.upload({"key": "job/a"})
    assert len(desk.sent()) == 1


def test_of_two_events_out_of_order_the_newer_object_stays(desk: Desk) -> None:
    desk.upload({"key": "job/a", "eTag": "new", "sequencer": "0A1"})
    desk.upload({"key": "job/a", "eTag": "old", "sequencer": "0A"})
    assert desk.world.row("job/a").etag == "new"
    assert len(desk.sent()) == 1


def test_two_events_of_one_object_in_one_batch_make_one_message(desk: Desk) -> None:
    assert (
        desk.upload({"key": "job/a", "sequencer": "01"}, {"key": "job/a", "sequencer": "02"}) == []
    )
    assert len(desk.sent()) == 1


def test_two_generations_in_one_batch_end_with_the_newer_one(desk: Desk) -> None:
    first, second = {"eTag": "e1", "sequencer": "01"}, {"eTag": "e2", "sequencer": "02"}
    desk.upload({"key": "job/a", **first}, {"key": "job/a", **second})
    row = desk.world.row("job/a")
    assert (row.etag, row.generation) == ("e2", 2)
    assert [one.etag for one in desk.sent()] == ["e1", "e2"]


def test_markers_are_passed_over_and_empty_files_are_tasks(
    desk: Desk,
) -> None:
    desk.upload({"key": "job/dir/", "size": 0}, {"key": "job/empty", "size": 0})
    assert [one.key for one in desk.sent()] == ["job/empty"]
    assert [row.key for row in desk.context.ledger.page("job").tasks] == ["job/empty"]


def test_only_the_message_with_the_bad_record_comes_again(desk: Desk) -> None:
    good = desk.told({"key": "job/a"}, number="good")
    poison = Told("poison", "not JSON", 1, "handle of poison")
    assert ingest.ingest(desk.context, [poison, good]) == ["poison"]
    assert [one.key for one in desk.sent()] == ["job/a"]


def test_of_a_message_with_a_good_and_a_bad_record_the_good_one_is_taken_in_once(
    desk: Desk,
) -> None:
    good = json.loads(desk.told({"key": "job/a"}).body)
    good["Records"].insert(0, {"eventName": "ObjectCreated:Put"})
    mixed = Told("mixed", json.dumps(good), 1, "handle of mixed")
    assert ingest.ingest(desk.context, [mixed]) == ["mixed"]
    desk.world.work(1)
    assert ingest.ingest(desk.context, [mixed._replace(receives=2)]) == ["mixed"]
    assert desk.world.row("job/a").state == State.DONE
    assert desk.sent() == []


def test_poison_comes_again_at_once_so_that_it_does_not_keep_fleets_for_long(
    desk: Desk,
) -> None:
    uploads = cast("FakeQueue", desk.context.uploads)
    uploads.send(["not JSON"])
    [taken] = uploads.receive(1, wait_seconds=0)
    told = Told(taken.message_id, taken.body, taken.receives, taken.handle)
    assert ingest.ingest(desk.context, [told]) == [taken.message_id]
    assert uploads.counts().visible == 1

    uploads.broken = True
    assert ingest.ingest(desk.context, [told]) == [taken.message_id]


def test_a_message_that_the_queue_did_not_take_fails_alone_and_is_sent_the_next_time(
    desk: Desk,
) -> None:
    desk.world.queue().refused.add("job/b")
    messages = [desk.told({"key": f"job/{name}"}, number=name) for name in "abc"]
    assert ingest.ingest(desk.context, messages) == ["b"]

    desk.world.queue().refused.clear()
    assert desk.upload({"key": "job/b"}, receives=2) == []
    assert sorted(one.key for one in desk.sent()) == ["job/a", "job/b", "job/c"]


def test_when_one_job_fails_the_uploads_of_others_are_taken_in(desk: Desk) -> None:
    desk.make("other")

    class Broken(type(desk.world.queue())):  # type: ignore[misc]
        def send(self, bodies: object, *, delay_seconds: int = 0) -> list[bool]:
            raise EndpointConnectionError(endpoint_url=self.url)

    url = desk.world.registry.job("job").queue_url
    desk.world.queues.queues[url] = Broken(url)
    messages = [desk.told({"key": f"{job}/a"}, number=job) for job in ("job", "other")]
    assert ingest.ingest(desk.context, messages) == ["job"]
    assert len(desk.sent("other")) == 1


def test_a_crash_between_row_and_message_is_mended_by_the_next_delivery(
    desk: Desk,
) -> None:
    desk.world.enqueue("job/a", send=False)
    desk.upload({"key": "job/a"}, receives=1)
    assert desk.sent() == []  # a mere duplicate sends nothing
    desk.upload({"key": "job/a"}, receives=2)
    assert [one.key for one in desk.sent()] == ["job/a"]


def test_a_task_that_has_started_is_not_sent_anew_by_a_late_delivery(desk: Desk) -> None:
    desk.upload({"key": "job/a"})
    desk.world.work(1)
    desk.upload({"key": "job/a"}, receives=5)
    assert desk.sent() == []


def test_a_row_that_another_writer_changed_meanwhile_is_decided_anew(desk: Desk) -> None:
    ledger = desk.context.ledger
    read = ledger.get_many

    def read_and_be_overtaken(job: str, wanted: list[str]) -> dict[str, task.Task]:
        rows = read(job, wanted)
        if not rows:
            desk.world.enqueue("job/a", send=False)  # another delivery comes between
        return rows

    ledger.get_many = read_and_be_overtaken  # type: ignore[method-assign, assignment]
    assert desk.upload({"key": "job/a"}) == []
    assert desk.sent() == []
    assert desk.world.row("job/a").version == 1


def test_objects_of_no_job_or_of_one_being_deleted_are_dropped_and_counted(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.world.change_job(deleting=True)
    with caplog.at_level(logging.INFO):
        assert desk.upload({"key": "nobody/a"}, {"key": "job/a"}) == []
    assert desk.sent() == []
    assert desk.steps.counts().total == 0
    assert "2 new objects belong to no job" in caplog.text


def test_an_object_that_the_filter_keeps_out_is_skipped_and_says_why(desk: Desk) -> None:
    desk.make("some", filter="ends_with(key, '.txt') && size > `0`")
    desk.upload({"key": "some/a.txt"}, {"key": "some/b.bin"}, {"key": "some/c.txt", "size": 0})
    assert [one.key for one in desk.sent("some")] == ["some/a.txt"]
    row = desk.world.row("some/b.bin", job="some")
    assert (row.state, row.reason) == (State.SKIPPED, "the job's filter is false for it")


def test_a_filter_that_fails_on_an_object_skips_it_and_blocks_nothing(desk: Desk) -> None:
    desk.make("odd", filter="length(size) > `1`")
    assert desk.upload({"key": "odd/a"}) == []
    assert "filter fails" in desk.world.row("odd/a", job="odd").reason


def test_many_uploads_give_one_nudge_in_its_span(desk: Desk) -> None:
    desk.steps.delays.clear()
    for number in range(20):
        desk.world.ec2.now += timedelta(milliseconds=100)
        desk.upload({"key": f"job/{number}"})
    assert desk.steps.delays == [10]
    desk.world.ec2.now += timedelta(seconds=11)
    desk.upload({"key": "job/late"})
    assert desk.steps.delays == [10, 10]
