"""A task's life: every change of its row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from aws_parallelizer.core import attempts, task
from aws_parallelizer.core.attempts import Drop, Start
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.core.task import Ended, Output, Task

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
OBJECT = Message(job="j", bucket="b", key="k", etag="e1", size=3)
NEWER = msgspec.structs.replace(OBJECT, etag="e2")


def stored(row: Task | None, version: int = 1) -> Task:
    assert row is not None
    return msgspec.structs.replace(row, version=version)


def queued() -> Task:
    return stored(task.enqueue(None, OBJECT, sequencer="0A", now=NOW))


def running(message_id: str = "m1") -> Task:
    claim = attempts.claim(
        queued(), OBJECT, message_id=message_id, instance="i-1", environment="z", now=NOW
    )
    assert isinstance(claim, Start)
    return stored(claim.task, 2)


def claimed(row: Task | None, message: Message = OBJECT, message_id: str = "m1") -> attempts.Claim:
    return attempts.claim(
        row, message, message_id=message_id, instance="i-2", environment="z", now=LATER
    )


def test_the_same_event_twice_makes_one_task() -> None:
    assert task.enqueue(queued(), OBJECT, sequencer="0A", now=LATER) is None


@pytest.mark.parametrize(
    ("earlier", "later"), [("0A", "0B"), ("0A", "0A1"), ("9", "A0"), ("0a", "0B")]
)
def test_of_two_events_out_of_order_the_newest_object_wins(earlier: str, later: str) -> None:
    first = stored(task.enqueue(None, OBJECT, sequencer=earlier, now=NOW))
    newer = task.enqueue(first, NEWER, sequencer=later, now=LATER)
    assert newer is not None
    assert (newer.etag, newer.generation, newer.state) == ("e2", 2, State.QUEUED)
    last = stored(task.enqueue(None, NEWER, sequencer=later, now=NOW))
    assert task.enqueue(last, OBJECT, sequencer=earlier, now=LATER) is None


def test_a_newer_object_is_worked_on_anew_whatever_became_of_the_older() -> None:
    done = attempts.end(running(), Ended(outcome=Outcome.DONE), max_attempts=3, now=LATER)
    newer = task.enqueue(done, NEWER, sequencer="0B", now=LATER)
    assert newer is not None
    assert (newer.state, newer.attempts, newer.version) == (State.QUEUED, 0, done.version)


def test_enqueue_by_hand_takes_failed_and_skipped_tasks_and_leaves_done_and_open_ones() -> None:
    ends = {
        Outcome.DONE: None,
        Outcome.PROGRAM_ERROR: State.QUEUED,
        Outcome.INPUT_MISSING: State.QUEUED,
    }
    for outcome, expected in ends.items():
        row = attempts.end(running(), Ended(outcome=outcome), max_attempts=1, now=NOW)
        again = task.enqueue_again(row, OBJECT, now=LATER)
        assert (again.state if again else None) == expected
    assert task.enqueue_again(running(), OBJECT, now=LATER) is None


@pytest.mark.parametrize("outcome", [Outcome.PROGRAM_ERROR, Outcome.INPUT_MISSING])
def test_a_retry_queues_a_failed_or_skipped_task_with_no_attempt_counted(outcome: Outcome) -> None:
    row = attempts.end(running(), Ended(outcome=outcome, reason="why"), max_attempts=1, now=NOW)
    row = msgspec.structs.replace(row, generation=4, reclaims=2)
    again = task.retry(row, now=LATER)
    assert again is not None
    assert (again.state, again.attempts, again.reclaims, again.retries) == (State.QUEUED, 0, 0, 1)
    assert (again.etag, again.generation, again.sequencer) == ("e1", 4, "0A")
    assert (again.version, again.since, again.enqueued) == (row.version, LATER, LATER)
    assert isinstance(claimed(again, message_id="m9"), Start)


def test_a_retry_leaves_done_and_open_tasks_and_counts_no_generation_but_its_own() -> None:
    done = attempts.end(running(), Ended(outcome=Outcome.DONE), max_attempts=1, now=NOW)
    for row in (done, queued(), running()):
        assert task.retry(row, now=LATER) is None
    failed = attempts.end(running(), Ended(outcome=Outcome.TIMEOUT), max_attempts=1, now=NOW)
    again = task.retry(failed, now=LATER)
    assert again is not None
    newer = task.enqueue(again, NEWER, sequencer="0B", now=LATER)
    assert newer is not None
    assert newer.retries == 0


def test_a_second_message_of_a_running_task_is_dropped() -> None:
    assert isinstance(claimed(running("m1"), message_id="m2"), Drop)


def test_the_same_message_again_means_a_lost_worker_and_is_taken_over_uncounted() -> None:
    claim = claimed(running("m1"), message_id="m1")
    assert isinstance(claim, Start)
    assert (claim.task.reclaims, claim.task.attempts, claim.task.instance) == (1, 0, "i-2")


@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.PROGRAM_ERROR, Outcome.INPUT_MISSING])
def test_the_message_of_an_ended_task_is_dropped(outcome: Outcome) -> None:
    row = attempts.end(running(), Ended(outcome=outcome), max_attempts=1, now=NOW)
    assert isinstance(claimed(row), Drop)


def test_the_message_of_an_older_generation_is_dropped() -> None:
    newer = task.enqueue(queued(), NEWER, sequencer="0B", now=NOW)
    assert isinstance(claimed(newer), Drop)
    assert isinstance(claimed(newer, NEWER), Start)


def test_a_task_without_a_row_is_started_with_a_new_one() -> None:
    claim = claimed(None, Message(key="k", bucket="b", job="j"))
    assert isinstance(claim, Start)
    assert claim.task.version == 0


@pytest.mark.parametrize(
    ("outcome", "attempts_before", "state", "counted", "reclaims"),
    [
        (Outcome.DONE, 0, State.DONE, 1, 0),
        (Outcome.PROGRAM_ERROR, 0, State.QUEUED, 1, 0),
        (Outcome.PROGRAM_ERROR, 2, State.FAILED, 3, 0),
        (Outcome.TIMEOUT, 2, State.FAILED, 3, 0),
        (Outcome.OUT_OF_MEMORY, 1, State.QUEUED, 2, 0),
        (Outcome.DISK_FULL, 2, State.FAILED, 3, 0),
        (Outcome.OUTPUT_COLLISION, 2, State.FAILED, 3, 0),
        (Outcome.BAD_OUTPUT, 2, State.FAILED, 3, 0),
        (Outcome.INFRASTRUCTURE, 2, State.FAILED, 3, 0),
        (Outcome.INPUT_MISSING, 0, State.SKIPPED, 0, 0),
        (Outcome.INTERRUPTED, 2, State.QUEUED, 2, 1),
    ],
)
def test_defect_5_an_attempt_ends_in_the_state_that_its_outcome_says(
    outcome: Outcome, attempts_before: int, state: State, counted: int, reclaims: int
) -> None:
    row = msgspec.structs.replace(running(), attempts=attempts_before)
    ended = attempts.end(row, Ended(outcome=outcome), max_attempts=3, now=LATER)
    assert (ended.state, ended.attempts, ended.reclaims) == (state, counted, reclaims)
    assert ended.since == LATER


def test_a_row_remembers_how_often_memory_ran_out_until_it_is_retried_or_anew() -> None:
    row = running()
    for outcome in (Outcome.OUT_OF_MEMORY, Outcome.INTERRUPTED, Outcome.OUT_OF_MEMORY):
        ended = attempts.end(stored(row), Ended(outcome=outcome), max_attempts=9, now=LATER)
        claim = claimed(stored(ended))
        assert isinstance(claim, Start)
        row = claim.task
    assert (row.memory_kills, row.attempts) == (2, 2)
    failed = attempts.end(row, Ended(outcome=Outcome.OUT_OF_MEMORY), max_attempts=3, now=LATER)
    again = task.retry(failed, now=LATER)
    assert again is not None
    assert (failed.memory_kills, again.memory_kills) == (3, 0)


def test_a_done_task_bears_the_object_that_was_really_read_and_a_retried_one_its_messages() -> None:
    read = Ended(outcome=Outcome.DONE, etag="e2", size=9)
    done = attempts.end(running(), read, max_attempts=3, now=LATER)
    assert (done.etag, done.size) == ("e2", 9)
    assert task.enqueue(done, NEWER, sequencer="0B", now=LATER) is None
    failed = msgspec.structs.replace(read, outcome=Outcome.PROGRAM_ERROR)
    retried = attempts.end(running(), failed, max_attempts=3, now=LATER)
    assert isinstance(claimed(retried), Start)


def test_retries_wait_longer_and_longer_but_an_interrupted_task_goes_on_at_once() -> None:
    delays = [
        attempts.retry_delay(msgspec.structs.replace(queued(), attempts=n, outcome=Outcome.TIMEOUT))
        for n in (1, 2, 3, 50)
    ]
    assert [delay.total_seconds() for delay in delays] == [1, 2, 4, 60]
    interrupted = msgspec.structs.replace(queued(), outcome=Outcome.INTERRUPTED, attempts=2)
    assert attempts.retry_delay(interrupted) == timedelta(0)


def test_after_infrastructure_errors_tasks_wait_for_minutes_and_do_not_come_back_together() -> None:
    for tried, most in ((1, 60), (2, 120), (3, 240), (50, 900)):
        delays = {
            attempts.retry_delay(
                msgspec.structs.replace(
                    queued(), key=f"k{i}", attempts=tried, outcome=Outcome.INFRASTRUCTURE
                )
            ).total_seconds()
            for i in range(200)
        }
        assert len(delays) > 150
        assert most / 2 <= min(delays) < 0.6 * most
        assert 0.9 * most < max(delays) <= most


def test_a_running_task_sent_anew_is_free_for_any_message_and_counts_as_reclaimed() -> None:
    anew = task.send_anew(running("m1"), now=LATER)
    assert (anew.state, anew.reclaims, anew.attempts) == (State.QUEUED, 1, 0)
    assert isinstance(claimed(anew, message_id="m9"), Start)


def test_a_dead_letter_fails_an_open_task_and_leaves_an_ended_one() -> None:
    failed = task.dead_letter(running(), receives=23, now=LATER)
    assert failed is not None
    assert (failed.state, failed.outcome) == (State.FAILED, Outcome.INFRASTRUCTURE)
    assert "23" in failed.reason
    done = attempts.end(running(), Ended(outcome=Outcome.DONE), max_attempts=3, now=NOW)
    assert task.dead_letter(done, receives=23, now=LATER) is None


def test_a_row_reads_back_the_same_and_stays_below_dynamodbs_limit() -> None:
    outputs = tuple(
        Output(key="k" * 1000, size=1, checksum="sha256:" + "0" * 64) for _ in range(2000)
    )
    row = attempts.end(running(), Ended(outcome=Outcome.DONE), max_attempts=3, now=LATER)
    assert task.decode(task.encode(row)) == row
    encoded = task.encode(msgspec.structs.replace(row, outputs=outputs))
    assert len(encoded) < 400_000
    read = task.decode(encoded)
    assert len(read.outputs) + read.outputs_omitted == 2000
