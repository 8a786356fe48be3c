"""POST retry goes on in steps, whatever breaks one of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from aws_parallelizer.core import enqueue
from aws_parallelizer.core.outcome import State
from chalicelib import reconcile, retrying, silent_enqueues, steps, triggers
from chalicelib.runs import NotTakenIn
from chalicelib.steps import Retry
from desks import Desk
from retries import KEYS, begin, fail, finish, let_time_pass, pending, sent, states, told


class Killed(BaseException):
    """The function ends here: nothing catches it."""


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.make()
    return desk


def test_a_long_retry_goes_on_in_further_steps_without_gap_or_duplicate(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "_STRETCH", 7)
    fail(desk, *KEYS)
    fail(desk, *(f"other/{number}" for number in range(30)))
    let_time_pass(desk, monkeypatch, seconds=16)
    begin(desk, prefix="job/")
    assert finish(desk) > 3
    assert sent(desk) == KEYS
    assert told(desk)["retried"] == 40


def test_two_steps_at_once_send_every_task_and_come_to_an_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "_STRETCH", 7)
    fail(desk, *KEYS)
    step = begin(desk)
    stretch, nested = desk.context.ledger.stretch, iter([False, False, True])

    def overtaken(*arguments: Any, **named: Any) -> Any:
        found = stretch(*arguments, **named)
        if next(nested, False):  # the other runs from its start to its end in between
            retrying.carry_on(desk.context, step, delivery=1)
        return found

    monkeypatch.setattr(desk.context.ledger, "stretch", overtaken)
    retrying.carry_on(desk.context, step, delivery=1)
    finish(desk)
    assert sent(desk) == KEYS
    assert desk.world.registry.job("job").enqueues == ()


@pytest.mark.parametrize("keys", [None, tuple(KEYS)], ids=["all", "keys"])
def test_a_step_that_dies_between_rows_and_messages_is_carried_on_and_sends_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...] | None
) -> None:
    monkeypatch.setattr(retrying, "_STRETCH", 10)
    fail(desk, *KEYS)
    step = begin(desk, keys=keys)
    pending(desk)
    send, calls = desk.world.queue().send, iter([True, True, False])

    def dying(bodies: Any) -> Any:
        desk.world.ec2.now += timedelta(seconds=1)
        if next(calls, True):
            return send(bodies)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(desk.world.queue(), "send", dying)
        if keys:
            next(calls), next(calls)
        with pytest.raises(Killed):
            retrying.carry_on(desk.context, step, delivery=1)
    assert len(sent(desk)) < len([key for key in KEYS if desk.world.row(key).retries])

    desk.world.ec2.now += enqueue.SILENT
    silent_enqueues.wake(desk.context, desk.world.registry.job("job"))
    [again] = pending(desk)
    retrying.carry_on(desk.context, again, delivery=1)

    assert set(sent(desk)) == set(KEYS)
    assert (told(desk)["retried"], told(desk)["underWay"]) == (40, False)


def test_what_the_queue_does_not_take_makes_the_step_come_again(desk: Desk) -> None:
    fail(desk, *KEYS)
    step = begin(desk)
    desk.world.queue().refused.add(KEYS[1])
    with pytest.raises(NotTakenIn):
        retrying.carry_on(desk.context, step, delivery=1)
    desk.world.queue().refused.clear()
    retrying.carry_on(desk.context, step, delivery=2)
    assert set(sent(desk)) == set(KEYS)
    assert states(desk, KEYS) == {State.QUEUED}


def test_a_step_that_fails_to_the_last_does_not_keep_the_job_open(desk: Desk) -> None:
    fail(desk, "job/a")
    step = begin(desk)
    desk.world.queue().refused.add("job/")
    with pytest.raises(NotTakenIn):
        retrying.carry_on(desk.context, step, delivery=steps.DELIVERIES)
    assert desk.world.registry.job("job").enqueues == ()


def test_a_function_that_died_before_it_sent_the_first_step_is_carried_on_by_reconcile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(desk, *KEYS)

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(steps, "send", die)
        with pytest.raises(Killed):
            begin(desk)
    desk.world.ec2.now += enqueue.SILENT
    reconcile.run(desk.context)
    finish(desk)
    assert sent(desk) == KEYS


def test_a_step_of_a_retry_that_nobody_knows_any_more_ends_it(desk: Desk) -> None:
    desk.world.change_job(enqueues=("r9",))
    retrying.carry_on(desk.context, Retry(job="job", run="r9"), delivery=1)
    assert desk.world.registry.job("job").enqueues == ()


def test_a_step_reads_back_as_it_was_sent_and_is_carried_out_by_its_function(desk: Desk) -> None:
    fail(desk, "job/a")
    step = begin(desk)
    body = msgspec.json.encode(step).decode()
    assert steps.decode(body) == step
    record = {"messageId": "m", "body": body, "receiptHandle": "h"}
    triggers.step(desk.context, [{**record, "attributes": {"ApproximateReceiveCount": "1"}}])
    assert sent(desk) == ["job/a"]
