"""POST retry: which tasks go back to the queue."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aws_parallelizer.core.errors import Conflict, NotFound
from aws_parallelizer.core.outcome import Outcome, State
from chalicelib import retrying, runs
from desks import Desk
from retries import KEYS, begin, fail, finish, pending, sent, told


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.make()
    return desk


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
