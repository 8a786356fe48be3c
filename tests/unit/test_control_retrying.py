"""POST retry: failed tasks back to the queue, in steps that may be repeated."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from aws_parallelizer.core import enqueue, task
from aws_parallelizer.core.enqueue import Retry as Wanted
from aws_parallelizer.core.errors import Conflict, NotFound
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.core.task import Ended
from chalicelib import reconcile, retrying, runs, silent_enqueues, status, steps, triggers
from chalicelib.runs import NotTakenIn
from chalicelib.steps import Retry
from desks import Desk


class Killed(BaseException):
    """The function ends here: nothing catches it."""


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.make()
    return desk


def fail(desk: Desk, *keys: str, outcome: Outcome = Outcome.PROGRAM_ERROR) -> None:
    """Tasks that have ended so, by now; their messages are gone."""
    new = [key for key in keys if key not in desk.context.ledger.get_many("job", keys)]
    desk.world.enqueue(*new, send=False)
    ended = Ended(outcome=outcome, reason="why")
    rows = [
        task.end(desk.world.row(key), ended, max_attempts=1, now=desk.world.ec2.now) for key in keys
    ]
    assert all(desk.context.ledger.write(rows))


def begin(desk: Desk, *, run: str = "r1", prefix: str = "", **wanted: Any) -> Retry:
    desk.world.ec2.now += timedelta(seconds=1)
    return retrying.start(desk.context, "job", run=run, prefix=prefix, wanted=Wanted(**wanted))


def pending(desk: Desk) -> list[Retry]:
    return desk.take_steps(Retry)


def finish(desk: Desk) -> int:
    return desk.finish(Retry, retrying.carry_on)


def told(desk: Desk) -> dict[str, Any]:
    found = status.full(desk.context, desk.world.registry.job("job"))["retry"]
    assert found
    return dict(found)


def sent(desk: Desk) -> list[str]:
    return sorted(one.key for one in desk.sent())


def let_time_pass(desk: Desk, monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> None:
    """Each stretch takes so long."""
    stretch = desk.context.ledger.stretch

    def slow(*arguments: Any, **named: Any) -> Any:
        desk.world.ec2.now += timedelta(seconds=seconds)
        return stretch(*arguments, **named)

    monkeypatch.setattr(desk.context.ledger, "stretch", slow)


def states(desk: Desk, keys: Iterable[str]) -> set[State]:
    return {desk.world.row(key).state for key in keys}


KEYS = [f"job/{number:03}" for number in range(40)]


def test_every_failed_task_is_queued_again_with_its_attempts_uncounted(desk: Desk) -> None:
    fail(desk, *KEYS)
    begin(desk)
    assert desk.world.registry.job("job").enqueues == ("r1",)  # so it does not count as empty
    assert (told(desk)["underWay"], told(desk)["retried"]) == (True, 0)
    finish(desk)
    assert sent(desk) == KEYS
    row = desk.world.row(KEYS[0])
    assert (row.state, row.attempts, row.retries) == (State.QUEUED, 0, 1)
    assert (row.outcome, row.reason, row.finished) == (None, "", None)
    assert desk.world.registry.job("job").enqueues == ()
    assert (told(desk)["underWay"], told(desk)["retried"], told(desk)["id"]) == (False, 40, "r1")


def test_tasks_that_have_not_failed_are_left_as_they_are(desk: Desk) -> None:
    fail(desk, "job/done", outcome=Outcome.DONE)
    fail(desk, "job/gone", outcome=Outcome.INPUT_MISSING)
    desk.world.enqueue("job/open", send=False)
    begin(desk)
    finish(desk)
    assert sent(desk) == []
    assert told(desk)["retried"] == 0


def test_outcome_and_prefix_narrow_it_together(desk: Desk) -> None:
    fail(desk, "job/a/1", "job/b/1", outcome=Outcome.TIMEOUT)
    fail(desk, "job/a/2", outcome=Outcome.OUT_OF_MEMORY)
    begin(desk, outcome=Outcome.TIMEOUT, prefix="job/a/")
    finish(desk)
    assert sent(desk) == ["job/a/1"]
    begin(desk, run="r2", outcome=Outcome.OUT_OF_MEMORY)
    finish(desk)
    assert sent(desk) == ["job/a/1", "job/a/2"]


def test_skipped_tasks_are_looked_at_again_by_their_outcome(desk: Desk) -> None:
    fail(desk, "job/gone", outcome=Outcome.INPUT_MISSING)
    fail(desk, "job/a")
    begin(desk, outcome=Outcome.INPUT_MISSING)
    finish(desk)
    assert sent(desk) == ["job/gone"]


def test_keys_that_are_skipped_are_retried_and_those_done_or_unknown_are_counted(
    desk: Desk,
) -> None:
    fail(desk, "job/a", "job/b", "job/c")
    fail(desk, "job/gone", outcome=Outcome.INPUT_MISSING)
    fail(desk, "job/done", outcome=Outcome.DONE)
    keys = ("job/a", "job/gone", "job/done", "job/a", "job/nobody", "other/x")
    begin(desk, keys=keys)
    finish(desk)
    assert sent(desk) == ["job/a", "job/gone"]
    counts = {name: told(desk)[name] for name in ("keyCount", "retried", "passedOver", "unknown")}
    assert counts == {"keyCount": 6, "retried": 2, "passedOver": 1, "unknown": 2}


def test_keys_and_outcome_narrow_it_together(desk: Desk) -> None:
    fail(desk, "job/a", outcome=Outcome.TIMEOUT)
    fail(desk, "job/b", "job/c")
    begin(desk, keys=("job/a", "job/b"), outcome=Outcome.TIMEOUT)
    finish(desk)
    assert sent(desk) == ["job/a"]
    assert told(desk)["passedOver"] == 1


def test_what_the_filter_now_keeps_out_stays_as_it_is(desk: Desk) -> None:
    fail(desk, "job/a", "job/b.tmp")
    desk.make(filter="!ends_with(key, '.tmp')")
    begin(desk)
    finish(desk)
    assert sent(desk) == ["job/a"]
    assert (told(desk)["retried"], told(desk)["passedOver"]) == (1, 1)


def test_what_fails_again_while_it_runs_is_not_retried_once_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "_STRETCH", 10)
    fail(desk, *KEYS)
    step = begin(desk)
    stretch = desk.context.ledger.stretch

    def failing_at_once(*arguments: Any, **named: Any) -> Any:
        desk.world.ec2.now += timedelta(seconds=1)
        queued = desk.context.ledger.page("job", state=State.QUEUED, limit=1000)
        fail(desk, *[row.key for row in queued.tasks])
        return stretch(*arguments, **named)

    monkeypatch.setattr(desk.context.ledger, "stretch", failing_at_once)
    retrying.carry_on(desk.context, step, delivery=1)
    assert sent(desk) == KEYS
    assert {desk.world.row(key).retries for key in KEYS} == {1}


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


def test_a_retry_that_is_repeated_or_doubled_puts_nothing_back_twice(desk: Desk) -> None:
    fail(desk, *KEYS)
    first = begin(desk)
    again = begin(desk)  # the same call, answered twice
    begin(desk, run="r2")  # and another one beside it
    for step in (first, again, *pending(desk)):
        retrying.carry_on(desk.context, step, delivery=1)
    finish(desk)
    assert sent(desk) == KEYS
    assert {desk.world.row(key).retries for key in KEYS} == {1}


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


def test_a_deleted_job_is_retried_no_further(desk: Desk) -> None:
    fail(desk, "job/a")
    step = begin(desk)
    desk.world.change_job(deleting=True)
    retrying.carry_on(desk.context, step, delivery=1)
    assert sent(desk) == []
    with pytest.raises(Conflict, match="being deleted"):
        begin(desk)
    with pytest.raises(NotFound):
        runs.open_job(desk.context, "nobody")


def test_a_step_reads_back_as_it_was_sent_and_is_carried_out_by_its_function(desk: Desk) -> None:
    fail(desk, "job/a")
    step = begin(desk)
    body = msgspec.json.encode(step).decode()
    assert steps.decode(body) == step
    record = {"messageId": "m", "body": body, "receiptHandle": "h"}
    triggers.step(desk.context, [{**record, "attributes": {"ApproximateReceiveCount": "1"}}])
    assert sent(desk) == ["job/a"]
