"""The control plane when AWS answers with errors: real clients, their retries, real queues."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest

import faulty
from aws_parallelizer.aws.sqs import Queue, Queues
from aws_parallelizer.core import parameters
from aws_parallelizer.core.errors import Conflict
from aws_parallelizer.core.fleet import Streak
from chalicelib import ingest, jobs, requests
from desks import Desk
from faulty import Faults
from fleets import World

WANTED = {"environmentZip": "e.zip", "analysisProgram": "run.sh"}


@pytest.fixture
def sqs(endpoint: str) -> Faults:
    return faulty.client("sqs", endpoint)


def with_real_queue(world: World, sqs: Faults) -> Queue:
    """The job's queue is one of the emulator's."""
    url = sqs.client.create_queue(QueueName=f"q-{uuid.uuid4()}")["QueueUrl"]
    queue = Queue(sqs.client, url=url)
    world.queues.queues[url] = queue  # type: ignore[assignment]
    world.change_job(queue_url=url)
    return queue


@pytest.fixture
def world() -> World:
    world = World()
    world.add_job()
    return world


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalError", ""])
def test_counts_that_aws_does_not_give_decide_nothing_and_start_the_readings_anew(
    world: World, sqs: Faults, code: str
) -> None:
    with_real_queue(world, sqs)
    world.tick(2)
    assert world.fleet().empty.readings == 2
    sqs.sent.clear()
    if code:
        sqs.fail("GetQueueAttributes", code, status=500, times=2)
    else:
        sqs.hang("GetQueueAttributes", times=2)

    world.tick()

    assert sqs.sent["GetQueueAttributes"] == 2  # the SDK had tried again
    assert world.fleet().empty == Streak()
    assert "could not be read" in world.fleet().sentence
    assert world.ec2.changed == set()
    assert not world.ec2.made("create_fleet", "run_instances")


def test_a_count_that_failed_once_is_asked_for_again_and_counts(world: World, sqs: Faults) -> None:
    with_real_queue(world, sqs)
    sqs.fail("GetQueueAttributes", "InternalError", status=500)
    world.tick()
    assert world.fleet().empty.readings == 1


def test_a_queue_that_is_gone_launches_nothing_ends_nothing_and_is_said(
    world: World, sqs: Faults
) -> None:
    queue = with_real_queue(world, sqs)
    queue.send(["job/a"])
    world.tick()
    assert len(world.ec2.running) == 1
    sqs.client.delete_queue(QueueUrl=queue.url)

    world.tick(10)

    assert len(world.ec2.running) == 1
    assert world.ec2.changed == set()
    assert "is gone" in world.fleet().sentence
    assert "PUT" in world.fleet().sentence


def test_a_queue_deleted_a_moment_ago_is_a_conflict_and_a_minute_later_the_job_is_made(
    endpoint: str, sqs: Faults
) -> None:
    desk = Desk()
    context = dataclasses.replace(desk.context, queues=Queues(sqs.client))
    sqs.fail("CreateQueue", "AWS.SimpleQueueService.QueueDeletedRecently")
    with pytest.raises(Conflict, match="less than 60 seconds ago: try again in a minute"):
        jobs.put(context, "again", parameters.parse_json(WANTED))
    assert context.registry.jobs() == []

    stored = jobs.put(context, "again", parameters.parse_json(WANTED))
    assert stored.created
    assert Queue(sqs.client, url=stored.job.queue_url).counts().total == 0


def test_a_job_whose_queue_was_deleted_by_hand_gets_it_again_when_it_is_put_again(
    sqs: Faults,
) -> None:
    desk = Desk()
    context = dataclasses.replace(desk.context, queues=Queues(sqs.client))
    made = jobs.put(context, "mended", parameters.parse_json(WANTED)).job
    sqs.client.delete_queue(QueueUrl=made.queue_url)
    jobs.put(context, "mended", parameters.parse_json(WANTED))
    assert Queue(sqs.client, url=made.queue_url).counts().total == 0


def uploads(desk: Desk) -> list[ingest.Told]:
    return [desk.told({"key": f"job/{number}"}, number=f"m{number}") for number in range(25)]


def test_when_the_work_queue_takes_nothing_the_whole_batch_comes_again_and_is_sent_then(
    sqs: Faults,
) -> None:
    desk = Desk()
    desk.make()
    queue = with_real_queue(desk.world, sqs)
    sqs.fail("SendMessageBatch", "InternalError", status=500, times=2)
    assert ingest.ingest(desk.context, uploads(desk)) == [f"m{number}" for number in range(25)]

    again = [told._replace(receives=2) for told in uploads(desk)]
    assert ingest.ingest(desk.context, again) == []
    assert queue.counts().visible == 25


def test_a_queue_that_fails_after_some_messages_makes_the_batch_come_again_and_loses_none(
    sqs: Faults,
) -> None:
    desk = Desk()
    desk.make()
    queue = with_real_queue(desk.world, sqs)
    batches = iter([False, True])
    failing: Any = queue._client.send_message_batch

    def send(**arguments: Any) -> Any:
        if next(batches, False):
            sqs.fail("SendMessageBatch", "InternalError", status=500, times=2)
        return failing(**arguments)

    queue._client.send_message_batch = send
    assert len(ingest.ingest(desk.context, uploads(desk))) == 25
    again = [told._replace(receives=2) for told in uploads(desk)]
    assert ingest.ingest(desk.context, again) == []
    assert queue.counts().visible == 35  # ten twice: workers drop the second ones


def test_a_nudge_that_cannot_be_sent_fails_no_upload_and_no_call(sqs: Faults) -> None:
    desk = Desk()
    desk.make()
    url = desk.context.settings.steps_queue_url
    made = sqs.client.create_queue(QueueName=f"steps-{uuid.uuid4()}")["QueueUrl"]
    desk.world.queues.queues[url] = Queue(sqs.client, url=made)  # type: ignore[assignment]
    sqs.fail("SendMessageBatch", "InternalError", status=500, times=4)
    assert ingest.ingest(desk.context, uploads(desk)) == []
    assert len(desk.sent()) == 25
    wanted = requests.job_parameters(b'{"environmentZip": "e", "analysisProgram": "r"}', "")
    assert jobs.put(desk.context, "other", wanted).created
