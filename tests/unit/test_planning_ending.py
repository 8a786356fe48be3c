"""How a fleet is let go: cancel, let workers end, terminate what stays, verify."""

from __future__ import annotations

from datetime import timedelta

from aws_parallelizer.core.fleet import Phase
from aws_parallelizer.core.job import Wish
from chalicelib.actions import CancelRequests, Terminate
from chalicelib.planning import plan
from situations import NOW, beat, instance, intent, parked, request, running, situation


def test_when_the_work_is_over_requests_are_cancelled_before_anything_is_terminated() -> None:
    held = instance(0, request="sir-0")
    there = {"instances": (held, instance(1)), "empty": True}

    first = plan(situation(requests=(request(0, of="i-0"),), **there))
    cancelled = request(0, state="cancelled", of="i-0")
    second = plan(situation(requests=(cancelled,), **there))
    long_ago = NOW - timedelta(seconds=301)
    third = plan(situation(requests=(cancelled,), draining_since=long_ago, **there))

    assert first.actions == (CancelRequests(ids=("sir-0",)),)
    assert second.actions == ()
    assert second.draining
    assert second.sentence == "no work left: letting 2 instances end, at most 5 min more"
    assert third.actions == (Terminate(ids=("i-0", "i-1")),)


def test_open_and_disabled_requests_are_cancelled_too() -> None:
    requests = tuple(
        request(number, state=state)
        for number, state in enumerate(("open", "active", "disabled", "cancelled", "closed"))
    )

    decided = plan(situation(requests=requests, empty=True))

    assert decided.actions == (CancelRequests(ids=("sir-0", "sir-1", "sir-2")),)


def test_workers_get_the_whole_grace_after_the_cancelling() -> None:
    decided = plan(
        situation(instances=running(1), empty=True, draining_since=NOW - timedelta(seconds=299))
    )

    assert decided.actions == ()
    assert decided.draining


def test_an_instance_that_is_shutting_down_is_waited_for() -> None:
    decided = plan(situation(instances=(instance(0, state="shutting-down"),), empty=True))

    assert decided.actions == ()
    assert not decided.finished
    assert plan(situation(instances=(instance(0, state="terminated"),), empty=True)).finished


def test_the_panic_button_waits_for_nobody() -> None:
    decided = plan(
        situation(
            demand=1000,
            stopped=True,
            instances=(instance(0, request="sir-0"), instance(1)),
            requests=(request(0, of="i-0"),),
            wishes=(Wish(id="w", count=1),),
        )
    )

    assert decided.actions == (CancelRequests(ids=("sir-0",)), Terminate(ids=("i-1",)))
    assert decided.look_again
    assert decided.sentence == "stopped: cancelling 1 spot request, terminating 1 instance"


def test_a_deleted_job_is_finished_only_when_nothing_is_left() -> None:
    assert plan(situation(deleting=True)).finished
    assert not plan(situation(deleting=True, intents=(intent(),))).finished
    assert not plan(situation(deleting=True, instances=running(1))).finished
    ending = (instance(0, state="shutting-down"),)
    assert not plan(situation(deleting=True, instances=ending)).finished


def test_nothing_is_terminated_at_the_first_reading_even_without_a_grace() -> None:
    first = plan(situation(instances=running(1), empty=True, grace_seconds=0))
    second = plan(situation(instances=running(1), empty=True, grace_seconds=0, draining_since=NOW))

    assert first.actions == ()
    assert first.draining
    assert second.actions == (Terminate(ids=("i-0",)),)


def test_a_protected_instance_is_terminated_on_no_path() -> None:
    there = (instance(0, protected=True, age=9999), instance(1, age=9999))
    long_ago = NOW - timedelta(hours=1)

    for s in (
        situation(instances=there, stopped=True),
        situation(instances=there, deleting=True),
        situation(instances=there, empty=True, draining_since=long_ago),
        situation(instances=there, demand=10, condemned=frozenset({"i-0", "i-1"})),
        situation(instances=there, demand=10, paused=True, condemned=frozenset({"i-0", "i-1"})),
    ):
        decided = plan(s)
        assert Terminate(ids=("i-1",)) in decided.actions
        assert not decided.finished


def test_a_protected_instance_that_stays_is_said_and_keeps_its_job() -> None:
    decided = plan(situation(instances=(instance(0, protected=True),), deleting=True))

    assert decided.sentence == "deleting: keeping 1 protected instance"
    assert not decided.finished


def test_cancelling_does_not_terminate_a_protected_instance_that_is_stopped() -> None:
    """EC2 terminates the stopped instance of a request that is cancelled."""
    stopped, disabled = parked(0)
    protected = instance(0, state="stopped", request="sir-0", protected=True)

    assert (
        CancelRequests(ids=("sir-0",))
        in plan(situation(instances=(stopped,), requests=(disabled,), empty=True)).actions
    )
    assert plan(situation(instances=(protected,), requests=(disabled,), empty=True)).actions == ()


def test_instances_outlive_their_workers_where_the_owner_wants_it() -> None:
    there = {"instances": (instance(0, age=9999),), "beats": (beat(0, phase=Phase.ENDED),)}

    decided = plan(
        situation(empty=True, stays=True, draining_since=NOW - timedelta(hours=1), **there)
    )

    assert decided.actions == ()
    assert decided.sentence == (
        "no work left: keeping 1 instance, for shouldShutdown is false; "
        "DELETE /instances ends what stays"
    )


def test_parked_instances_go_when_the_work_is_over() -> None:
    stopped, disabled = parked(0)

    decided = plan(situation(instances=(stopped,), requests=(disabled,), empty=True))

    assert decided.actions == (CancelRequests(ids=("sir-0",)),)
