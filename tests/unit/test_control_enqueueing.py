"""POST enqueue: any number of objects, in steps that may be repeated."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from aws_parallelizer.core import attempts
from aws_parallelizer.core.errors import Conflict, NotFound
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.core.task import Ended
from chalicelib import enqueueing, steps
from chalicelib.runs import NotTakenIn
from chalicelib.steps import Enqueue
from desks import BUCKET, Desk


@pytest.fixture
def desk() -> Desk:
    desk = Desk(page_size=10)
    desk.make()
    return desk


def fill(desk: Desk, count: int) -> list[str]:
    keys = [f"job/{number:03}" for number in range(count)]
    for key in keys:
        desk.s3.put(BUCKET, key)
    return keys


def begin(desk: Desk, **wanted: Any) -> Enqueue:
    arguments = {"run": "r1", "bucket": None, "prefix": None, **wanted}
    return enqueueing.start(desk.context, "job", **arguments)


def pending(desk: Desk) -> list[Enqueue]:
    return desk.take_steps(Enqueue)


def finish(desk: Desk) -> int:
    return desk.finish(Enqueue, enqueueing.carry_on)


def test_all_objects_under_the_prefix_become_tasks_once(desk: Desk) -> None:
    keys = fill(desk, 35)
    desk.s3.put(BUCKET, "other/a")
    desk.s3.put(BUCKET, "job/dir/", size=0)
    begin(desk)
    assert desk.world.registry.job("job").enqueues == ("r1",)
    finish(desk)
    assert sorted(one.key for one in desk.sent()) == keys
    assert desk.world.registry.job("job").enqueues == ()


def test_a_long_listing_goes_on_in_further_steps_without_gap_or_duplicate(
    desk: Desk,
) -> None:
    keys = fill(desk, 35)
    page = desk.s3.page

    def slow(bucket: str, *, prefix: str, after: str = "") -> list[Any]:
        desk.world.ec2.now += timedelta(seconds=20)
        return page(bucket, prefix=prefix, after=after)

    desk.s3.page = slow  # type: ignore[method-assign]
    begin(desk)
    assert finish(desk) == 3
    assert sorted(one.key for one in desk.sent()) == keys


def test_a_step_that_is_delivered_twice_sends_nothing_twice(desk: Desk) -> None:
    fill(desk, 5)
    step = begin(desk)
    enqueueing.carry_on(desk.context, step, delivery=1)
    enqueueing.carry_on(desk.context, step, delivery=2)
    assert len(desk.sent()) == 5


def test_a_step_that_died_between_row_and_message_sends_what_it_had_not_sent(desk: Desk) -> None:
    keys = fill(desk, 5)
    desk.world.enqueue(keys[0])  # long before: its message is in the queue
    desk.world.ec2.now += timedelta(hours=1)
    step = begin(desk)
    desk.world.enqueue(keys[1], send=False)  # what the dead step had written
    enqueueing.carry_on(desk.context, step, delivery=2)
    assert sorted(one.key for one in desk.sent()) == keys


def test_what_the_queue_does_not_take_makes_the_step_come_again(desk: Desk) -> None:
    keys = fill(desk, 3)
    step = begin(desk)
    desk.world.queue().refused.add(keys[1])
    with pytest.raises(NotTakenIn):
        enqueueing.carry_on(desk.context, step, delivery=1)
    desk.world.queue().refused.clear()
    enqueueing.carry_on(desk.context, step, delivery=2)
    assert {one.key for one in desk.sent()} == set(keys)


def test_a_step_that_fails_to_the_last_is_given_up_and_does_not_keep_the_job_open(
    desk: Desk,
) -> None:
    fill(desk, 1)
    step = begin(desk)
    desk.world.queue().refused.add("job/")
    with pytest.raises(NotTakenIn):
        enqueueing.carry_on(desk.context, step, delivery=steps.DELIVERIES)
    assert desk.world.registry.job("job").enqueues == ()


def test_failed_and_skipped_tasks_are_enqueued_again_and_done_ones_are_not(desk: Desk) -> None:
    keys = fill(desk, 3)
    desk.world.enqueue(*keys, send=False)
    outcomes = [Outcome.DONE, Outcome.PROGRAM_ERROR, Outcome.INPUT_MISSING]
    for key, outcome in zip(keys, outcomes, strict=True):
        row = desk.world.row(key)
        ended = attempts.end(row, Ended(outcome=outcome), max_attempts=1, now=desk.world.ec2.now)
        desk.context.ledger.write([ended])
    begin(desk)
    finish(desk)
    assert sorted(one.key for one in desk.sent()) == keys[1:]
    assert desk.world.row(keys[0]).state == State.DONE


def test_another_bucket_and_prefix_may_be_named(desk: Desk) -> None:
    desk.s3.put("parallelizer-output", "x/1")
    begin(desk, bucket="parallelizer-output", prefix="x/")
    finish(desk)
    [sent] = desk.sent()
    assert (sent.bucket, sent.key) == ("parallelizer-output", "x/1")


def test_a_bucket_that_is_not_there_is_refused_at_once(desk: Desk) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        begin(desk, bucket="nowhere")
    assert desk.world.registry.job("job").enqueues == ()


def test_a_step_that_cannot_be_sent_leaves_no_run_behind(desk: Desk) -> None:
    desk.steps.refused.add("enqueue")
    with pytest.raises(steps.NotSent):
        begin(desk)
    assert desk.world.registry.job("job").enqueues == ()


def test_a_deleted_job_is_enqueued_no_further(desk: Desk) -> None:
    fill(desk, 2)
    step = begin(desk)
    desk.world.change_job(deleting=True)
    enqueueing.carry_on(desk.context, step, delivery=1)
    assert desk.sent() == []
    with pytest.raises(Conflict):
        begin(desk)
    desk.world.registry.remove_job(desk.world.registry.job("job"))
    enqueueing.carry_on(desk.context, step, delivery=1)


def test_a_step_reads_back_as_it_was_sent(desk: Desk) -> None:
    step = begin(desk)
    assert steps.decode(msgspec.json.encode(step).decode()) == step
