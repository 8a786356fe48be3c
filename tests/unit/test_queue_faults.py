"""Queues that lie, repeat themselves or lose count: what a job's fleet and tasks make of it."""

from __future__ import annotations

import pytest

from aws_parallelizer.aws.sqs import Counts
from aws_parallelizer.core import attempts, message
from aws_parallelizer.core.attempts import Drop
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.core.task import Ended
from chalicelib import ingest, steps
from desks import Desk
from fakes.queue import FakeQueue
from fleets import World


class Killed(BaseException):
    """The function ends here: nothing catches it."""


@pytest.fixture
def world() -> World:
    world = World()
    world.add_job()
    return world


def test_a_crash_after_the_send_makes_a_second_message_that_the_worker_drops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    desk.make()
    told = desk.told({"key": "job/a"})

    def die(_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(steps, "nudge_soon", die)
        with pytest.raises(Killed):
            ingest.ingest(desk.context, [told])
    assert ingest.ingest(desk.context, [told._replace(receives=2)]) == []
    first, second = desk.sent()

    running = attempts.claim(
        desk.world.row("job/a"),
        first,
        message_id="m1",
        instance="i-1",
        environment="e",
        now=desk.context.now(),
    )
    assert isinstance(running, attempts.Start)
    desk.context.ledger.write([running.task])
    beside = claim(desk.world, second)
    assert isinstance(beside, Drop)
    ended = Ended(outcome=Outcome.DONE)
    done = attempts.end(desk.world.row("job/a"), ended, max_attempts=3, now=desk.context.now())
    desk.context.ledger.write([done])
    assert isinstance(claim(desk.world, second), Drop)


def claim(world: World, second: message.Message) -> attempts.Claim:
    return attempts.claim(
        world.row("job/a"),
        second,
        message_id="m2",
        instance="i-2",
        environment="e",
        now=world.ec2.now,
    )


def test_tasks_in_flight_alone_end_no_worker_and_launch_none(world: World) -> None:
    world.enqueue("job/a", "job/b")
    world.tick(2)
    before = set(world.ec2.running)
    assert before
    world.queue().receive(10, wait_seconds=0, lease_seconds=3600)
    world.tick(20)
    assert set(world.ec2.running) == before
    assert world.ec2.changed == set()


def test_a_queue_full_of_messages_in_flight_never_launches_more_than_the_most(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeQueue, "counts", lambda _: Counts(0, 120_000, 0))
    world.tick(30)
    assert len(world.ec2.running) == world.registry.job("job").parameters.max_instances


def test_counts_that_stay_above_zero_though_every_task_has_ended_launch_little_and_are_said(
    world: World,
) -> None:
    world.enqueue("job/a")
    world.tick(2)
    world.work(1)
    world.queue().delayed = 5  # SQS says so for ever

    launched = 0
    for _ in range(12 * 60):  # half a day, in which workers end by themselves when they are idle
        for id_ in world.ec2.running:
            world.ec2.end(id_)
        before = len(world.ec2.machines)
        world.tick()
        launched += len(world.ec2.machines) - before

    assert 3 <= launched <= 12 + 4
    assert "the ledger has no open task" in world.fleet().sentence


def test_a_dead_letter_of_another_job_fails_no_task_of_this_one(world: World) -> None:
    world.enqueue("job/a", send=False)
    body = message.Message(key="job/a", bucket="parallelizer-input", job="other")
    world.dead_letters().send([message.encode(body)])
    world.tick()
    assert world.row("job/a").state == State.QUEUED
    assert world.dead_letters().counts().total == 0


def test_a_dead_letter_that_a_person_sends_back_is_dropped_for_its_task_has_failed(
    world: World,
) -> None:
    world.enqueue("job/a", send=False)
    body = message.Message(key="job/a", bucket="parallelizer-input", job="job", etag="e", size=1)
    world.dead_letters().send([message.encode(body)])
    world.tick()
    assert world.row("job/a").state == State.FAILED
    world.queue().send([message.encode(body)])
    assert isinstance(claim(world, body), Drop)
