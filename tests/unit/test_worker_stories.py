"""Stories of workers, written down: what random ones found, and what they seldom meet."""

from __future__ import annotations

import pytest

from aws_parallelizer.core.outcome import Outcome, State
from fakes.faults import Fault
from lives.events import Break, Delay, Delete, Fate, Kind, Meet, RunOut, Storm, Upload, Wait
from lives.story import Event, tell

BEGUN = (Upload(), Wait(0.8))  # its program runs, for another half a second
# The calls of a task's life in their order, after an empty poll or none.
CALLS = range(1, 12)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("call", CALLS)
def test_any_call_of_a_task_may_break_in_any_way(call: int, fault: Fault) -> None:
    story = tell(Break(call, fault), Upload(Kind.PAIR))
    row = story.table.rows()["data/pair-0"]
    assert (row.state, row.attempts) == (State.DONE, 1)


@pytest.mark.parametrize("call", CALLS)
def test_a_worker_may_be_killed_after_any_call_while_its_lease_runs_out(call: int) -> None:
    story = tell(Break(call, Fault.CRASH_AFTER), Upload(), Wait(1), RunOut(), Wait(1), RunOut())
    row = story.table.rows()["data/copy-0"]
    assert (row.state, row.attempts) == (State.DONE, 1)


def test_a_worker_that_thaws_replaces_nothing_that_a_later_attempt_stored() -> None:
    story = tell(*BEGUN, Meet(Fate.FROZEN, 0), Meet(Fate.FROZEN, 1), RunOut(), Meet(Fate.ANOTHER))
    # Two workers are there, and one of them has the task.
    row = story.table.rows()["data/copy-0"]
    assert (row.state, row.instance, row.attempts, row.reclaims) == (State.DONE, "i-3", 1, 1)


@pytest.mark.parametrize("call", range(1, 14))
def test_a_call_that_arrives_when_its_task_is_in_other_hands_spoils_nothing(call: int) -> None:
    # Of the calls that take the newer object from the queue to its end one is a minute late; the
    # last upload is one that has looked at the older output and at its own row before.
    late = Delay(call, there=60)
    story = tell(Upload(), Wait(20), late, Upload(), Wait(2), RunOut(), Wait(100))
    row = story.table.rows()["data/copy-0"]
    assert (row.state, row.attempts) == (State.DONE, 1)


def test_what_the_ledger_does_not_take_for_minutes_keeps_its_message_and_is_done_again() -> None:
    story = tell(*BEGUN, Storm("dynamodb", 400), Wait(400))
    row = story.table.rows()["data/copy-0"]
    assert (row.state, row.attempts, row.reclaims) == (State.DONE, 1, 1)


@pytest.mark.parametrize("service", ["s3", "sqs", "dynamodb"])
def test_no_attempt_is_lost_to_a_service_that_refuses_everything_for_a_minute(
    service: str,
) -> None:
    for event in (Upload(), Upload(Kind.SLOW)):
        story = tell(event, Storm(service, 60), Wait(0.5), Storm(service, 60), Wait(60))
        [row] = story.table.rows().values()
        assert (row.state, row.outcome, row.attempts) == (State.DONE, Outcome.DONE, 1)


@pytest.mark.parametrize("again", [Upload(), Upload(late=30), Upload(same=True)])
def test_a_file_that_goes_and_comes_again_is_done(again: Event) -> None:
    story = tell(Upload(), Delete(), Wait(30), again)
    assert story.table.rows()["data/copy-0"].state == State.DONE


def test_a_file_that_comes_again_under_the_attempt_that_missed_it_is_found_by_a_listing() -> None:
    story = tell(
        Upload(),
        Upload(Kind.SLOW, 1),
        *[Upload()] * 4,
        *[Wait(0.02)] * 3,
        Delete(Kind.SLOW, 1),
        *[Upload()] * 3,
        Wait(0.02),
        Upload(Kind.SLOW, 1, same=True),
    )
    assert {row.state for row in story.table.rows().values()} == {State.DONE}
