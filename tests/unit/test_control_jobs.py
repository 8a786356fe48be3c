"""A job's life through the control plane's front door."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aws_parallelizer.core.errors import Conflict, NotFound, ParameterError
from aws_parallelizer.core.job import Wish
from aws_parallelizer.core.parameters import parse_json, parse_text
from chalicelib import jobs, steps
from chalicelib.jobs import Stored
from desks import Desk
from fakes.queues import FakeQueues

OWN = "https://sqs.us-east-1.amazonaws.com/000000000000/mine"


@pytest.fixture
def desk() -> Desk:
    return Desk()


def put(desk: Desk, name: str = "job", **given: Any) -> Stored:
    wanted = {"environmentZip": "e.zip", "analysisProgram": "run.sh", **given}
    return jobs.put(desk.context, name, parse_json(wanted))


def nudges(desk: Desk) -> int:
    found = [steps.decode(body) for body in desk.steps.visible.values()]
    return sum(isinstance(step, steps.Reconcile) for step in found)


def test_a_new_job_gets_its_queue_with_a_dead_letter_queue_behind_it(desk: Desk) -> None:
    stored = put(desk, visibilityTimeout=60, maxAttempts=5)
    assert stored.created
    assert stored.job.parameters.queue_url == stored.job.queue_url
    attributes = desk.world.queues.attributes[stored.job.queue_url]
    assert stored.job.queue_url.endswith("/parallelizer_job")
    assert attributes["VisibilityTimeout"] == "60"
    assert attributes["MessageRetentionPeriod"] == "1209600"
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith(":parallelizer_job_dead")
    assert redrive["maxReceiveCount"] == 25
    assert nudges(desk) == 1


def test_the_same_again_is_harmless_and_a_change_reaches_the_queue(desk: Desk) -> None:
    first = put(desk)
    again = put(desk)
    assert (again.created, again.job.version) == (False, first.job.version)
    changed = put(desk, visibilityTimeout=300, maxInstances=3)
    assert changed.job.parameters.max_instances == 3
    assert desk.world.queues.attributes[first.job.queue_url]["VisibilityTimeout"] == "300"


def test_a_change_keeps_what_people_and_steps_wrote_in_the_row(desk: Desk) -> None:
    put(desk)
    desk.world.change_job(enqueues=("r",), stopped=True)
    changed = put(desk, maxInstances=3).job
    assert (changed.enqueues, changed.stopped) == (("r",), True)


def test_a_queue_of_the_users_own_is_used_and_never_made_changed_or_removed(desk: Desk) -> None:
    desk.world.queues.at(OWN)
    job = put(desk, queueURL=OWN).job
    assert (job.queue_url, job.dead_letter_url, job.own_queue) == (OWN, "", False)
    assert not put(desk).created  # silent about the queue: it stays
    assert desk.world.queues.attributes == {}
    jobs.finish_deletion(desk.context, jobs.delete(desk.context, "job", purge=False))
    assert desk.world.queues.removed == set()


def test_a_queue_that_is_not_there_or_another_jobs_is_refused(desk: Desk) -> None:
    with pytest.raises(ParameterError, match="queueURL"):
        put(desk, queueURL=OWN)
    taken = put(desk, "first").job.queue_url
    with pytest.raises(ParameterError, match="job first"):
        put(desk, queueURL=taken)


def test_a_jobs_queue_cannot_be_exchanged_under_it(desk: Desk) -> None:
    put(desk)
    desk.world.queues.at(OWN)
    with pytest.raises(Conflict, match="queue"):
        put(desk, queueURL=OWN)


def test_prefixes_that_would_mix_are_refused_before_anything_is_made(desk: Desk) -> None:
    put(desk, "outer")
    with pytest.raises(ParameterError, match="inputPrefix"):
        put(desk, "inner", inputPrefix="outer/inner/")
    assert not any("inner" in url for url in desk.world.queues.queues)


def test_defect_14_secrets_are_dropped_with_a_warning_and_stored_nowhere(desk: Desk) -> None:
    text = "accessKey=AKIA\r\nsecretKey=hush\r\nenvironmentZip=e\r\nanalysisProgram=r\r\n"
    stored = jobs.put(desk.context, "job", parse_text(text))
    assert [warning.split()[0] for warning in stored.warnings] == ["accessKey", "secretKey"]
    assert "hush" not in str(desk.world.table.documents)


def test_a_region_that_is_not_the_stacks_is_replaced_with_a_warning(desk: Desk) -> None:
    stored = put(desk, EC2SQSRegion="us-west-2")
    assert stored.job.parameters.region == "us-east-1"
    assert "EC2SQSRegion" in " ".join(stored.warnings)


def test_a_bucket_that_does_not_tell_the_stack_of_objects_is_warned_of(desk: Desk) -> None:
    assert "enqueue" in " ".join(put(desk, inputBucket="elsewhere").warnings)


def test_a_wish_restarts_a_stopped_job_and_the_same_wish_is_one(desk: Desk) -> None:
    put(desk)
    jobs.stop(desk.context, "job")
    wish = Wish(id="w", count=2)
    for _ in range(2):
        job = jobs.wish(desk.context, "job", wish)
    assert (job.stopped, job.wishes) == (False, (wish,))


def test_defect_19_the_panic_button_stops_one_job_and_drops_its_wishes(desk: Desk) -> None:
    put(desk, "one")
    put(desk, "two")
    jobs.wish(desk.context, "one", Wish(id="w", count=1))
    stopped = jobs.stop(desk.context, "one")
    assert (stopped.stopped, stopped.wishes) == (True, ())
    assert not desk.world.registry.job("two").stopped


def test_a_deletion_ends_with_queues_and_row_gone_and_the_ledger_kept(desk: Desk) -> None:
    job = put(desk).job
    desk.world.enqueue("job/a")
    deleting = jobs.delete(desk.context, "job", purge=False)
    assert deleting.deleting
    assert jobs.delete(desk.context, "job", purge=False) == deleting
    with pytest.raises(Conflict, match="being deleted"):
        put(desk)
    with pytest.raises(Conflict, match="being deleted"):
        jobs.wish(desk.context, "job", Wish(id="w", count=1))

    jobs.finish_deletion(desk.context, deleting)

    assert desk.world.queues.removed == {job.queue_url, job.dead_letter_url}
    with pytest.raises(NotFound):
        desk.world.registry.job("job")
    assert desk.world.row("job/a").key == "job/a"
    with pytest.raises(NotFound):
        jobs.delete(desk.context, "job", purge=False)


def test_a_purge_removes_the_ledger_rows_and_then_the_job(desk: Desk) -> None:
    put(desk)
    desk.world.enqueue("job/a", "job/b")
    jobs.delete(desk.context, "job", purge=False)
    deleting = jobs.delete(desk.context, "job", purge=True)
    for _ in range(2):  # two ticks before the step is delivered
        jobs.finish_deletion(desk.context, deleting)
    for body in list(desk.steps.visible.values()):
        step = steps.decode(body)
        if isinstance(step, steps.Purge):
            jobs.purge(desk.context, step)
    with pytest.raises(NotFound):
        desk.world.registry.job("job")
    assert desk.context.ledger.page("job").tasks == []


def test_one_purge_at_a_time(desk: Desk) -> None:
    put(desk)
    desk.world.enqueue("job/a")
    jobs.delete(desk.context, "job", purge=True)
    now = desk.context.now()
    desk.context.registry.take_lease("purge-job", owner="other", now=now, seconds=60)
    jobs.purge(desk.context, steps.Purge(job="job"))
    assert desk.world.row("job/a").key == "job/a"


def test_a_queue_deleted_a_moment_ago_is_a_conflict_that_says_when(desk: Desk) -> None:
    class Recent(FakeQueues):
        def make(self, name: str, attributes: object) -> str:
            raise Conflict(f"queue {name} was deleted less than 60 seconds ago")

    desk.context.queues.make = Recent().make  # type: ignore[method-assign, assignment]
    with pytest.raises(Conflict, match="60 seconds"):
        put(desk)
    assert desk.world.registry.jobs() == []


def test_a_pause_outlives_a_change_of_the_job_and_forgets_what_was_to_be_launched(
    desk: Desk,
) -> None:
    put(desk)
    jobs.wish(desk.context, "job", Wish(id="w", count=2))
    desk.steps.empty()
    paused = jobs.pause(desk.context, "job")
    assert (paused.paused, paused.leasing, paused.wishes) == (True, False, ())
    assert nudges(desk) == 1
    assert put(desk, maxInstances=3).job.paused
    assert jobs.stop(desk.context, "job").paused
    resumed = jobs.resume(desk.context, "job")
    assert (resumed.paused, resumed.stopped) == (False, True)


def test_a_paused_job_launches_nothing_by_hand_either_and_says_what_to_do(desk: Desk) -> None:
    put(desk)
    jobs.pause(desk.context, "job")
    with pytest.raises(Conflict, match="resume it first"):
        jobs.wish(desk.context, "job", Wish(id="w", count=2))
    assert desk.context.registry.job("job").wishes == ()


def test_a_job_that_is_being_deleted_is_neither_paused_nor_resumed(desk: Desk) -> None:
    put(desk)
    jobs.delete(desk.context, "job", purge=False)
    for change in (jobs.pause, jobs.resume):
        with pytest.raises(Conflict, match="being deleted"):
            change(desk.context, "job")


def test_no_two_jobs_of_any_stacks_share_a_queue(desk: Desk) -> None:
    """A job may be named as another's dead-letter queue, a stack as another stack's job."""
    stored = [put(desk, name).job for name in ("a", "a-dead", "b-a")]
    urls = [url for job in stored for url in (job.queue_url, job.dead_letter_url)]

    assert len(set(urls)) == len(urls)
