"""Enqueues whose step got lost: found by their silence, and carried on."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from aws_parallelizer.core import enqueue
from aws_parallelizer.core.enqueue import Care, Progress, care
from chalicelib import enqueueing, reconcile, silent_enqueues, steps
from chalicelib.steps import Enqueue
from desks import BUCKET, Desk
from fleets import START

KEYS = [f"job/{number:03}" for number in range(35)]


class Killed(BaseException):
    """The function ends here: nothing catches it."""


@pytest.fixture
def desk() -> Desk:
    desk = Desk(page_size=10)
    desk.make()
    for key in KEYS:
        desk.s3.put(BUCKET, key)
    return desk


def pending(desk: Desk) -> list[Enqueue]:
    """The enqueue steps that the queue holds, taken out of it."""
    found = [steps.decode(body) for body in desk.steps.visible.values()]
    desk.steps.empty()
    return [step for step in found if isinstance(step, Enqueue)]


def finish(desk: Desk) -> None:
    while found := pending(desk):
        for step in found:
            enqueueing.carry_on(desk.context, step, delivery=1)


def wake(desk: Desk, *, after: timedelta = timedelta(0)) -> None:
    desk.world.ec2.now += after
    silent_enqueues.wake(desk.context, desk.world.registry.job("job"))


def runs(desk: Desk) -> tuple[str, ...]:
    return desk.world.registry.job("job").enqueues


def is_whole(desk: Desk) -> bool:
    return runs(desk) == () and sorted(one.key for one in desk.sent()) == KEYS


def test_a_function_that_died_before_it_sent_the_first_step_leaves_no_job_open_for_ever(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(steps, "send", die)
        with pytest.raises(Killed):
            enqueueing.start(desk.context, "job", run="r1")
    assert runs(desk) == ("r1",)

    wake(desk, after=enqueue.SILENT - timedelta(seconds=1))
    assert pending(desk) == []
    wake(desk, after=timedelta(seconds=1))
    finish(desk)

    assert is_whole(desk)


def test_a_step_that_is_lost_half_way_is_sent_again_from_where_it_was(desk: Desk) -> None:
    step = enqueueing.start(desk.context, "job", run="r1")
    pending(desk)
    with pytest.raises(Killed):
        enqueueing.carry_on(_dies_at_page(desk, 3), step, delivery=1)

    wake(desk, after=enqueue.SILENT)

    [again] = pending(desk)
    assert (again.after, again.again) == (KEYS[19], True)
    enqueueing.carry_on(desk.context, again, delivery=1)
    assert is_whole(desk)


def test_a_step_delivered_again_goes_on_from_the_page_at_which_it_died(desk: Desk) -> None:
    step = enqueueing.start(desk.context, "job", run="r1")
    with pytest.raises(Killed):
        enqueueing.carry_on(_dies_at_page(desk, 3), step, delivery=1)
    enqueueing.carry_on(desk.context, step, delivery=2)
    assert is_whole(desk)


def _dies_at_page(desk: Desk, number: int) -> enqueueing.Context:
    page, asked = desk.s3.page, iter(range(1, number + 1))

    def dying(bucket: str, *, prefix: str, after: str = "") -> object:
        if next(asked) == number:
            desk.s3.page = page  # type: ignore[method-assign]
            raise Killed
        return page(bucket, prefix=prefix, after=after)

    desk.s3.page = dying  # type: ignore[method-assign, assignment]
    return desk.context


def test_a_step_sent_again_while_the_first_still_runs_does_no_harm(desk: Desk) -> None:
    first = enqueueing.start(desk.context, "job", run="r1")
    wake(desk, after=enqueue.SILENT)
    [_, second] = pending(desk)
    page, nested = desk.s3.page, iter([True])

    def overtaken(bucket: str, *, prefix: str, after: str = "") -> object:
        found = page(bucket, prefix=prefix, after=after)
        if next(nested, False):  # the other step runs from its start to its end in between
            enqueueing.carry_on(desk.context, second, delivery=1)
        return found

    desk.s3.page = overtaken  # type: ignore[method-assign, assignment]
    enqueueing.carry_on(desk.context, first, delivery=1)
    assert {one.key for one in desk.sent()} == set(KEYS)
    assert runs(desk) == ()


def test_reconcile_wakes_silent_enqueues(desk: Desk) -> None:
    enqueueing.start(desk.context, "job", run="r1")
    pending(desk)
    desk.world.ec2.now += enqueue.SILENT
    reconcile.run(desk.context)
    assert len(pending(desk)) == 1


def test_an_enqueue_that_stays_silent_is_given_up_and_the_job_can_count_as_empty(
    desk: Desk,
) -> None:
    enqueueing.start(desk.context, "job", run="r1")
    for _ in range(enqueue.RESENDS):
        pending(desk)
        wake(desk, after=enqueue.SILENT)
    assert runs(desk) == ("r1",)
    wake(desk, after=enqueue.SILENT)
    assert runs(desk) == ()


def test_an_enqueue_of_an_earlier_release_is_waited_for_before_it_is_given_up(desk: Desk) -> None:
    desk.world.change_job(enqueues=("old",))
    wake(desk)
    wake(desk, after=timedelta(minutes=10))
    step = Enqueue(job="job", run="old", bucket=BUCKET, prefix="job/", began=START)
    enqueueing.carry_on(desk.context, step, delivery=1)
    assert is_whole(desk)

    desk.world.change_job(enqueues=("older",))
    wake(desk)
    wake(desk, after=enqueue.SILENT)
    assert runs(desk) == ()


def test_a_steps_queue_that_takes_nothing_is_tried_at_every_later_look(desk: Desk) -> None:
    enqueueing.start(desk.context, "job", run="r1")
    pending(desk)
    desk.steps.broken = True
    wake(desk, after=enqueue.SILENT)
    desk.steps.broken = False
    wake(desk, after=enqueue.SILENT)
    finish(desk)
    assert is_whole(desk)


def test_the_same_enqueue_begun_twice_goes_on_from_where_it_was(desk: Desk) -> None:
    step = enqueueing.start(desk.context, "job", run="r1")
    with pytest.raises(Killed):
        enqueueing.carry_on(_dies_at_page(desk, 3), step, delivery=1)
    assert enqueueing.start(desk.context, "job", run="r1").after == KEYS[19]


def test_care_is_for_the_silent_alone() -> None:
    begun = Progress(job="j", run="r", bucket="b", prefix="", began=START, carried=START)
    late = START + enqueue.SILENT
    tired = msgspec.structs.replace(begun, resent=enqueue.RESENDS)
    assert care(begun, now=START) is Care.NOTHING
    assert care(begun, now=late) is Care.ANOTHER_STEP
    assert care(tired, now=START) is Care.NOTHING
    assert care(tired, now=late) is Care.AN_END


def test_keys_are_compared_as_s3_orders_them() -> None:
    assert enqueue.further("\uffff", "\U0001f600") == "\U0001f600"
