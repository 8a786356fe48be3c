"""What the API makes of posts: repetitions, retries, pauses."""

from __future__ import annotations

import random

import pytest

from aws_parallelizer.aws.dynamodb import Key
from aws_parallelizer.core.errors import Conflict, NotFound
from calls import ask, post, told
from chalicelib import api
from desks import Desk


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.make()
    return desk


def test_a_post_that_is_repeated_is_carried_out_once(desk: Desk) -> None:
    first = api.launch(desk.context, post({"count": 2}, key="k"), "job")
    desk.world.change_job(wishes=())  # reconcile has carried it out
    again = api.launch(desk.context, post({"count": 2}, key="k"), "job")
    assert (again.status, told(again)) == (202, told(first))
    assert desk.world.registry.job("job").wishes == ()


def test_two_posts_at_once_with_one_key_are_one_wish_and_one_enqueue(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.context.registry, "answer", lambda *_, **__: None)  # both come first
    for _ in range(2):
        api.launch(desk.context, post({"count": 2}, key="k"), "job")
        api.enqueue(desk.context, post({}, key="k2"), "job")
    job = desk.world.registry.job("job")
    assert (len(job.wishes), len(job.enqueues)) == (1, 1)


def test_a_retry_is_accepted_once_for_its_key_and_told_in_the_status(desk: Desk) -> None:
    call = post({"outcome": "timeout", "prefix": "job/"}, key="k", path="/jobs/job/retry")
    first, again = (api.retry(desk.context, call, "job") for _ in range(2))
    assert (first.status, told(again)) == (202, told(first))
    job = desk.world.registry.job("job")
    assert job.enqueues == (told(first)["retry"],)
    shown = told(api.get_job(desk.context, ask(), "job"))["status"]["retry"]
    assert shown["id"] == told(first)["retry"]
    assert (shown["outcome"], shown["prefix"], shown["keyCount"]) == ("timeout", "job/", None)


def test_a_retry_of_the_most_keys_fits_into_the_ledger(desk: Desk) -> None:
    letters = random.Random(1)
    keys = ["".join(letters.choices('"\\\n', k=256)) for _ in range(500)]
    keys += ["".join(chr(letters.randrange(0x4E00, 0x9FFF)) for _ in range(85)) for _ in range(500)]
    run = told(api.retry(desk.context, post({"keys": keys}), "job"))["retry"]
    stored = desk.world.table.documents[Key("enqueue#job", run)]
    assert len(stored.text.encode()) < 380_000


def test_an_idempotency_key_for_another_request_is_a_conflict(desk: Desk) -> None:
    api.launch(desk.context, post({"count": 2}, key="k"), "job")
    with pytest.raises(Conflict, match="Idempotency-Key"):
        api.launch(desk.context, post({"count": 3}, key="k"), "job")
    with pytest.raises(Conflict, match="Idempotency-Key"):
        api.enqueue(desk.context, post({}, key="k", path="/q"), "job")


def test_a_pause_is_said_in_the_status_and_undone_by_a_resume(desk: Desk) -> None:
    for _ in range(2):  # twice the same is harmless
        answer = api.pause(desk.context, post({}), "job")
        assert (answer.status, told(answer)["status"]["state"]) == (202, "paused")
        assert "until the job is resumed" in told(answer)["message"]
    assert told(api.get_job(desk.context, ask(), "job"))["status"]["state"] == "paused"
    [listed] = told(api.list_jobs(desk.context, ask()))["jobs"]
    assert listed["status"]["state"] == "paused"
    for _ in range(2):
        answer = api.resume(desk.context, post({}), "job")
        assert (answer.status, told(answer)["status"]["state"]) == (202, "active")
    desk.world.change_job(stopped=True)
    assert "POST /instances" in told(api.resume(desk.context, post({}), "job"))["message"]


def test_a_pause_that_is_sent_again_after_the_resume_pauses_nothing(desk: Desk) -> None:
    first = api.pause(desk.context, post({}, key="k", path="/jobs/job/pause"), "job")
    api.resume(desk.context, post({}, key="r", path="/jobs/job/resume"), "job")
    again = api.pause(desk.context, post({}, key="k", path="/jobs/job/pause"), "job")
    assert told(again) == told(first)
    assert not desk.world.registry.job("job").paused


def test_a_post_that_failed_may_be_repeated_with_its_key(desk: Desk) -> None:
    with pytest.raises(NotFound):
        api.enqueue(desk.context, post({"bucket": "later"}, key="k"), "job")
    desk.s3.objects["later"] = {}
    assert api.enqueue(desk.context, post({"bucket": "later"}, key="k"), "job").status == 202
