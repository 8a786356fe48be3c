"""Objects of which no event told are found by a listing when a job's work seems over."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from aws_parallelizer.core import attempts, task
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.core.task import Ended
from chalicelib import enqueueing, jobs, steps, untold_objects
from chalicelib.steps import Enqueue
from desks import BUCKET, Desk
from fleets import START

HOUR = timedelta(hours=1)


@pytest.fixture
def desk() -> Desk:
    desk = Desk(page_size=10)
    desk.make()
    return desk


def put(desk: Desk, key: str, *, etag: str = "e", age: timedelta = timedelta(0)) -> None:
    """An object of which nothing is told."""
    desk.s3.put(BUCKET, key, etag=etag, modified=(desk.context.now() - age).timestamp())


def look(desk: Desk, *, after: timedelta = timedelta(0)) -> bool:
    """Look for untold objects, to the end; whether it was due."""
    desk.world.ec2.now += after
    began = untold_objects.look(desk.context, desk.world.registry.job("job"))
    bodies = list(desk.steps.visible.values())
    desk.steps.empty()
    for step in map(steps.decode, bodies):
        if isinstance(step, Enqueue):
            enqueueing.carry_on(desk.context, step, delivery=1)
    return began


def keys(desk: Desk) -> list[str]:
    return sorted(one.key for one in desk.sent())


def test_an_object_whose_event_never_came_is_found_before_the_work_counts_as_over(
    desk: Desk,
) -> None:
    put(desk, "job/told")
    desk.upload({"key": "job/told"})
    put(desk, "job/untold")
    assert untold_objects.look(desk.context, desk.world.registry.job("job"))
    assert desk.world.registry.job("job").enqueues == (untold_objects.RUN,)
    desk.world.change_job(enqueues=())
    desk.world.ec2.now += untold_objects.EVERY
    look(desk)
    assert keys(desk) == ["job/told", "job/untold"]
    assert desk.world.registry.job("job").enqueues == ()


def test_a_newer_object_whose_event_never_came_is_worked_on_anew(desk: Desk) -> None:
    desk.upload({"key": "job/a", "eTag": "old"})
    put(desk, "job/a", etag="new")
    look(desk)
    assert desk.world.row("job/a").etag == "new"


def test_what_lay_there_before_the_job_is_left_to_a_person(desk: Desk) -> None:
    put(desk, "job/before", age=timedelta(seconds=1))
    assert look(desk)
    assert keys(desk) == []


def test_what_lay_under_a_prefix_before_it_became_the_jobs_is_left_to_a_person(desk: Desk) -> None:
    desk.world.ec2.now += HOUR
    put(desk, "elsewhere/before")
    desk.world.ec2.now += HOUR
    desk.make(inputPrefix="elsewhere/")
    put(desk, "elsewhere/after")
    assert look(desk)
    assert keys(desk) == ["elsewhere/after"]
    desk.make(inputPrefix="elsewhere/", maxInstances=3)
    assert desk.world.registry.job("job").inputs_since == START + 2 * HOUR


def test_failed_and_skipped_tasks_are_not_begun_again_by_a_listing(desk: Desk) -> None:
    for key, outcome in (("job/f", Outcome.PROGRAM_ERROR), ("job/s", Outcome.INPUT_MISSING)):
        put(desk, key)
        desk.upload({"key": key})
        ended = Ended(outcome=outcome)
        row = attempts.end(desk.world.row(key), ended, max_attempts=1, now=desk.context.now())
        desk.context.ledger.write([row])
    desk.world.queue().empty()
    look(desk)
    assert keys(desk) == []


def test_an_object_that_came_again_under_the_attempt_that_missed_it_is_found(desk: Desk) -> None:
    put(desk, "job/a")
    desk.upload({"key": "job/a"})
    started = desk.context.now() + timedelta(seconds=30)
    row = msgspec.structs.replace(desk.world.row("job/a"), state=State.RUNNING, started=started)
    gone = attempts.end(row, Ended(outcome=Outcome.INPUT_MISSING), max_attempts=1, now=started)
    desk.context.ledger.write([gone])
    desk.world.queue().empty()
    look(desk)
    assert keys(desk) == [], "it is older than the attempt"
    put(desk, "job/a", age=-timedelta(seconds=29.5))  # S3's times are whole seconds
    look(desk, after=untold_objects.EVERY)
    assert keys(desk) == ["job/a"]
    assert desk.world.row("job/a").state == State.QUEUED
    assert desk.world.row("job/a").generation == 2


def test_a_bare_key_that_failed_is_not_begun_again_by_a_listing(desk: Desk) -> None:
    put(desk, "job/bare")
    bare = task.Message(key="job/bare", bucket=BUCKET, job="job")
    row = task.enqueue(None, bare, sequencer="", now=desk.context.now())
    assert row
    desk.context.ledger.write([row])
    look(desk)
    assert keys(desk) == []


def test_a_filter_keeps_untold_objects_out_too(desk: Desk) -> None:
    desk.make(filter="ends_with(key, '.txt')")
    put(desk, "job/a.bin")
    look(desk)
    assert keys(desk) == []
    assert desk.world.row("job/a.bin").reason


def test_a_listing_is_due_once_in_twelve_hours_and_looks_up_only_what_is_new(desk: Desk) -> None:
    put(desk, "job/a")
    assert look(desk)
    assert not look(desk, after=untold_objects.EVERY - timedelta(seconds=1))
    assert look(desk, after=timedelta(seconds=1))

    assert look(desk, after=2 * untold_objects.OVERLAP)
    desk.context.ledger.purge("job")  # whatever is looked up now is taken for new
    desk.world.queue().empty()
    put(desk, "job/new")
    assert look(desk, after=untold_objects.EVERY)
    assert keys(desk) == ["job/new"]


def test_a_listing_is_not_due_where_nobody_waits_for_it(desk: Desk) -> None:
    now = desk.context.now()
    job = desk.world.registry.job("job")
    assert untold_objects.due(job, None, told_bucket=BUCKET, now=now) == job.created
    assert untold_objects.due(job, None, told_bucket="another", now=now) is None
    for changes in ({"stopped": True}, {"deleting": True}, {"enqueues": ("r",)}):
        desk.world.change_job(stopped=False, deleting=False, enqueues=())
        changed = desk.world.change_job(**changes)
        assert untold_objects.due(changed, None, told_bucket=BUCKET, now=now) is None


def test_a_bucket_that_cannot_be_listed_does_not_keep_the_job_open(desk: Desk) -> None:
    del desk.s3.objects[BUCKET]
    assert not look(desk)
    desk.steps.broken = True
    desk.s3.objects[BUCKET] = {}
    assert not look(desk)
    assert desk.world.registry.job("job").enqueues == ()


def test_a_job_made_anew_under_its_old_name_looks_again(desk: Desk) -> None:
    assert look(desk)
    desk.world.ec2.now += HOUR
    jobs.finish_deletion(desk.context, jobs.delete(desk.context, "job", purge=False))
    desk.make()
    assert look(desk)
