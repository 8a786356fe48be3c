"""Reconcile keeps ledger and queue in step: dead letters, and what the queue has lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from aws_parallelizer.aws.sqs import Received
from aws_parallelizer.core import attempts, message
from aws_parallelizer.core.attempts import Start
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import Outcome, State
from chalicelib import dead_letters, lost_tasks
from fakes.queue import FakeQueue
from fleets import World


class Unreadable(FakeQueue):
    """A queue whose messages cannot be read."""

    def receive(
        self, limit: int, *, wait_seconds: int, lease_seconds: int | None = None
    ) -> list[Received]:
        raise EndpointConnectionError(endpoint_url=self.url)


@pytest.fixture
def world() -> World:
    world = World()
    world.add_job()
    return world


def letter(key: str, *, etag: str = "e") -> str:
    return message.encode(
        Message(key=key, bucket="parallelizer-input", job="job", etag=etag, size=1)
    )


def test_a_dead_letter_becomes_a_failed_task_with_the_reason(world: World) -> None:
    world.enqueue("job/a", send=False)
    world.dead_letters().send([letter("job/a")])

    world.tick()

    row = world.row("job/a")
    assert (row.state, row.outcome) == (State.FAILED, Outcome.INFRASTRUCTURE)
    assert "received 1 times" in row.reason
    assert world.dead_letters().counts().total == 0


def test_a_dead_letter_of_a_task_that_has_ended_changes_nothing(world: World) -> None:
    world.enqueue("job/a")
    world.work(1)
    world.dead_letters().send([letter("job/a")])

    world.tick()

    assert world.row("job/a").state == State.DONE
    assert world.dead_letters().counts().total == 0


def test_a_dead_letter_of_an_older_object_does_not_fail_the_newer_one(world: World) -> None:
    world.enqueue("job/a")
    world.dead_letters().send([letter("job/a", etag="older")])

    world.tick()

    assert world.row("job/a").state == State.QUEUED
    assert world.dead_letters().counts().total == 0


def test_a_bare_key_that_killed_its_workers_is_failed_though_the_ledger_never_had_it(
    world: World,
) -> None:
    world.dead_letters().send(["job/bare key"])

    world.tick()

    assert world.row("job/bare key").state == State.FAILED


def test_a_dead_letter_that_is_no_task_is_dropped(world: World) -> None:
    world.dead_letters().send(['{"v": 99}', ""])

    world.tick()

    assert world.dead_letters().counts().total == 0


def test_two_dead_letters_of_one_task_are_both_settled(world: World) -> None:
    world.enqueue("job/a", send=False)
    world.dead_letters().send([letter("job/a"), letter("job/a")])

    world.tick()
    world.dead_letters().put_back()
    world.tick()

    assert world.row("job/a").state == State.FAILED
    assert world.dead_letters().counts().total == 0


def test_dead_letters_are_drained_some_hundred_a_tick(world: World) -> None:
    keys = [f"job/{number}" for number in range(dead_letters.LIMIT + 20)]
    world.enqueue(*keys, send=False)
    world.dead_letters().send([letter(key) for key in keys])

    world.tick()

    assert world.dead_letters().counts().total == 20


def test_a_dead_letter_queue_that_cannot_be_read_does_not_stop_the_job(world: World) -> None:
    world.enqueue("job/a")
    world.queues.queues[world.registry.job("job").dead_letter_url] = Unreadable("dead")

    world.tick()

    assert len(world.ec2.running) == 1


def test_defect_24_what_the_queue_lost_is_sent_anew_after_several_readings(world: World) -> None:
    world.enqueue("job/a", "job/b")
    world.queue().empty()

    world.tick(3)
    assert world.queue().counts().total == 0
    world.tick()

    assert world.queue().counts().total == 2
    world.work(2)
    assert world.row("job/a").state == State.DONE


def test_a_task_that_is_open_for_ten_days_is_sent_anew_though_the_queue_is_never_empty(
    world: World,
) -> None:
    world.enqueue("job/lost", send=False)
    world.enqueue("job/busy")
    world.ec2.now += lost_tasks.AGED - timedelta(minutes=2)
    world.enqueue("job/young")
    world.tick()
    assert world.queue().counts().total == 2

    world.tick()
    sent = [message.decode(body).key for body in world.queue().visible.values()]
    assert sorted(sent) == ["job/busy", "job/busy", "job/lost", "job/young"]

    world.tick(7, seconds=3600)
    assert world.queue().counts().total == 4


def test_a_crash_between_row_and_message_is_made_good(world: World) -> None:
    world.enqueue("job/a", send=False)

    world.tick(5)

    assert world.queue().counts().total == 1


def test_what_is_lost_is_sent_once_and_not_at_every_tick(world: World) -> None:
    world.enqueue("job/a", send=False)

    world.tick(30)

    assert world.queue().counts().total == 1


@pytest.mark.parametrize(("lives", "count"), [(True, 0), (False, 1)])
def test_counts_that_are_wrongly_zero_send_nothing_anew_that_a_worker_is_at(
    world: World, lives: bool, count: int
) -> None:
    world.enqueue("job/long", send=False)
    begun = attempts.claim(
        world.row("job/long"),
        message.decode(letter("job/long")),
        message_id="m",
        instance="i-1",
        environment="e",
        now=world.ec2.now,
    )
    assert isinstance(begun, Start)
    world.ledger.write([begun.task])

    for _ in range(8):
        if lives:
            world.beat("i-1", running=1)
        world.tick()

    assert world.queue().counts().total == count


def test_nothing_is_sent_anew_while_a_message_is_in_flight(world: World) -> None:
    world.enqueue("job/a", "job/b", send=False)
    world.queue().send([letter("job/a")])
    world.queue().receive(1, wait_seconds=0)

    world.tick(10)

    assert world.queue().counts().total == 1


def test_a_row_younger_than_a_lease_is_not_sent_anew(world: World) -> None:
    world.enqueue("job/a", send=False)

    assert lost_tasks.send_anew(world.context, world.registry.job("job")) == 0


def test_a_stopped_job_is_not_sent_anything_anew(world: World) -> None:
    world.enqueue("job/a", send=False)
    world.change_job(stopped=True)

    world.tick(10)

    assert world.queue().counts().total == 0
