"""What the API answers: documents, pages, refusals, repetitions."""

from __future__ import annotations

import json
import logging
import random
from typing import Any

import pytest

from aws_parallelizer.aws.dynamodb import Key
from aws_parallelizer.core import task
from aws_parallelizer.core.errors import Conflict, NotFound, ParameterError
from aws_parallelizer.core.fleet import Fleet, Instance
from aws_parallelizer.core.outcome import Outcome
from aws_parallelizer.core.spending import Spending
from aws_parallelizer.core.task import Ended, Output
from chalicelib import answers, api
from chalicelib.answers import Answer
from chalicelib.api import Call
from desks import Desk


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.make()
    return desk


def post(document: object, *, key: str = "", path: str = "/p") -> Call:
    return Call(path, {}, json.dumps(document).encode(), idempotency_key=key)


def ask(**query: str) -> Call:
    return Call("/p", query)


def told(answer: Answer) -> Any:
    """The answer's document as a caller reads it."""
    return json.loads(answers.encode(answer.document))


def test_a_job_is_told_with_its_parameters_and_all_of_its_status(desk: Desk) -> None:
    desk.world.enqueue("job/a", "job/b")
    document = told(api.get_job(desk.context, ask(), "job"))
    assert document["job"] == "job"
    assert document["parameters"]["inputPrefix"] == "job/"
    assert document["parameters"]["queueURL"].endswith("/parallelizer_job")
    status = document["status"]
    assert status["state"] == "active"
    assert status["counts"] == {"queued": 2, "running": 0, "done": 0, "failed": 0, "skipped": 0}
    assert status["queue"] == {"visible": 2, "inFlight": 0, "delayed": 0}
    assert status["line"]
    assert status["enqueueing"] is False


def test_a_status_shows_the_fleet_and_how_long_the_rest_will_take(desk: Desk) -> None:
    now = desk.context.now()
    machine = Instance(id="i-1", type="c7i.large", zone="us-east-1a", state="running", launched=now)
    fleet = Fleet(
        job="job", observed=now, instances=(machine,), sentence="working", seconds_per_task=4.0
    )
    desk.world.registry.put_fleet(fleet)
    desk.world.enqueue(*(f"job/{i}" for i in range(6)))
    rows = [desk.world.row(f"job/{i}") for i in range(2)]
    desk.context.ledger.write([started(row, desk) for row in rows])
    status = told(api.get_job(desk.context, ask(), "job"))["status"]
    assert (status["line"], status["rate"], status["etaSeconds"]) == ("working", 0.5, 12.0)
    [instance] = status["instances"]
    assert (instance["id"], instance["state"], instance["spot"]) == ("i-1", "running", False)


def test_a_status_tells_what_the_job_costs_and_will_cost(desk: Desk) -> None:
    now = desk.context.now()
    machine = Instance(
        id="i-1", type="c7i.large", zone="us-east-1a", state="running", launched=now, spot=True
    )
    spending = Spending(dollars=3.0, at=now, hourly=0.06, unpriced=("m9.huge",))
    fleet = Fleet(
        job="job",
        observed=now,
        instances=(machine, machine),
        states={"running": 2},
        spending=spending,
    )
    desk.world.registry.put_fleet(fleet)
    desk.make(budget=10.0)
    desk.world.enqueue(*(f"job/{i}" for i in range(6)))
    desk.world.work(3)
    status = told(api.get_job(desk.context, ask(), "job"))["status"]
    assert status["instancesByState"] == {"running": 2}
    assert status["instancesByPool"] == [
        {"type": "c7i.large", "zone": "us-east-1a", "spot": True, "count": 2}
    ]
    assert (status["spent"], status["dollarsPerHour"], status["unpriced"]) == (3, 0.06, ["m9.huge"])
    assert (status["dollarsPerTask"], status["forecast"]) == (1.0, 6.0)
    assert (status["budget"], status["budgetLeft"], status["inFlight"]) == (10.0, 7.0, 0)
    assert status["spentUntil"] == now.isoformat().replace("+00:00", "Z")


def test_a_status_says_null_for_what_is_not_known(desk: Desk) -> None:
    status = told(api.get_job(desk.context, ask(), "job"))["status"]
    unknown = ("spent", "spentUntil", "dollarsPerHour", "dollarsPerTask", "forecast", "budgetLeft")
    assert [status[name] for name in unknown] == [None] * len(unknown)
    assert (status["rate"], status["etaSeconds"], status["instancesByState"]) == (None, None, None)


def test_a_status_measures_the_rate_on_what_ended_lately(desk: Desk) -> None:
    desk.world.enqueue(*(f"job/{i}" for i in range(10)))
    for _ in range(6):
        desk.world.ec2.pass_time(30)
        desk.world.work(1)
    status = told(api.get_job(desk.context, ask(), "job"))["status"]
    assert status["rate"] == pytest.approx(1 / 30)
    assert status["etaSeconds"] == pytest.approx(4 * 30)


def started(row: task.Task, desk: Desk) -> task.Task:
    message = task.Message(key=row.key, bucket=row.bucket, job=row.job, etag=row.etag)
    claim = task.claim(
        row, message, message_id="m", instance="i", environment="", now=desk.context.now()
    )
    assert isinstance(claim, task.Start)
    return claim.task


def test_a_job_whose_queue_cannot_be_read_is_shown_all_the_same(desk: Desk) -> None:
    desk.world.queue().broken = True
    assert told(api.get_job(desk.context, ask(), "job"))["status"]["queue"] is None


def test_jobs_are_listed_by_name_in_pages(desk: Desk) -> None:
    desk.make("a")
    desk.make("z")
    first = told(api.list_jobs(desk.context, ask(limit="2")))
    assert [job["job"] for job in first["jobs"]] == ["a", "job"]
    last = told(api.list_jobs(desk.context, ask(limit="2", next=first["next"])))
    assert ([job["job"] for job in last["jobs"]], last["next"]) == (["z"], None)


def test_put_answers_201_for_a_new_job_200_for_a_known_one_and_warns(desk: Desk) -> None:
    text = b"environmentZip=e\r\nanalysisProgram=r\r\nsecretKey=hush\r\n"
    call = Call("/jobs/new", {}, text, "text/plain; charset=utf-8")
    first = api.put_job(desk.context, call, "new")
    assert (first.status, api.put_job(desk.context, call, "new").status) == (201, 200)
    document = told(first)
    assert document["parameters"]["analysisProgram"] == "r"
    assert "secretKey" in document["warnings"][0]
    assert "hush" not in str(document)


def test_tasks_are_paged_and_filtered_and_queried(desk: Desk) -> None:
    keys = [f"job/{i:02}" for i in range(25)]
    desk.world.enqueue(*keys)
    found: list[str] = []
    token = ""
    while True:
        page = told(api.list_tasks(desk.context, ask(limit="7", next=token), "job"))
        found += [one["key"] for one in page["tasks"]]
        token = page["next"]
        if not token:
            break
    assert sorted(found) == keys
    some = told(api.list_tasks(desk.context, ask(prefix="job/1", query="[].key"), "job"))
    assert sorted(some["tasks"]) == keys[10:20]
    assert told(api.list_tasks(desk.context, ask(state="failed"), "job"))["tasks"] == []


def test_a_page_too_large_for_lambda_is_cut_and_loses_nothing(desk: Desk) -> None:
    keys = [f"job/{i:03}" for i in range(60)]
    desk.world.enqueue(*keys)
    big = "x" * 100_000
    rows = [desk.world.row(key) for key in keys]
    ended = Ended(outcome=Outcome.DONE, last_output=big)
    desk.context.ledger.write(
        [task.end(row, ended, max_attempts=1, now=desk.context.now()) for row in rows]
    )
    found, token = [], ""
    while True:
        answer = api.list_tasks(desk.context, ask(limit="1000", next=token), "job")
        assert len(answers.encode(answer.document)) < 5_000_000
        found += [one["key"] for one in answer.document["tasks"]]
        token = answer.document["next"]
        if not token:
            break
    assert sorted(found) == keys


def test_one_task_is_told_whole_with_links_to_its_files(desk: Desk) -> None:
    key = "job/a b+c%20é.txt"
    desk.world.enqueue(key)
    ended = Ended(
        outcome=Outcome.PROGRAM_ERROR,
        exit_code=3,
        seconds=1.5,
        last_output="oh no",
        outputs=(Output("job/o", 5, "sha256:00"),),
        log_key="job/log",
    )
    row = task.end(desk.world.row(key), ended, max_attempts=1, now=desk.context.now())
    desk.context.ledger.write([row])
    document = told(api.get_task(desk.context, ask(key=key), "job"))
    assert (document["key"], document["state"], document["exitCode"]) == (key, "failed", 3)
    assert (document["attempts"], document["reclaims"], document["lastOutput"]) == (1, 0, "oh no")
    assert document["outputs"] == [{"key": "job/o", "size": 5, "checksum": "sha256:00"}]
    assert document["finished"].endswith("Z")
    assert document["started"] is None
    assert "parallelizer-input" in document["links"]["input"]
    assert [one["key"] for one in document["links"]["outputs"]] == ["job/o"]
    assert document["links"]["log"].startswith("https://parallelizer-output")


def test_instances_are_those_that_reconcile_last_saw(desk: Desk) -> None:
    assert told(api.list_instances(desk.context, ask(), "job"))["instances"] == []
    now = desk.context.now()
    machine = Instance(id="i-1", type="t", zone="z", state="running", launched=now)
    desk.world.registry.put_fleet(Fleet(job="job", observed=now, instances=(machine,)))
    document = told(api.list_instances(desk.context, ask(), "job"))
    assert [one["id"] for one in document["instances"]] == ["i-1"]


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


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"outcome": "done"}, "allowed: program-error, timeout"),
        ({"outcome": "broken"}, "outcome"),
        ({"prefix": "x" * 1025}, "1024"),
        ({"keys": []}, "keys"),
        ({"keys": [""]}, "empty key"),
        ({"keys": ["é" * 513]}, "1024"),
        ({"keys": ["k"] * 1001}, "1000"),
        ({"keys": ["k" * 1000] * 257}, "256000"),
        ({"keys": "k"}, "keys"),
        ({"state": "failed"}, "state"),
    ],
)
def test_a_wrong_retry_is_refused_by_the_fields_name(desk: Desk, wrong: object, named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        api.retry(desk.context, post(wrong), "job")
    assert desk.world.registry.job("job").enqueues == ()


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


def test_a_pause_takes_no_fields(desk: Desk) -> None:
    for call in (api.pause, api.resume):
        with pytest.raises(ParameterError, match="seconds"):
            call(desk.context, post({"seconds": 5}), "job")


def test_a_post_that_failed_may_be_repeated_with_its_key(desk: Desk) -> None:
    with pytest.raises(NotFound):
        api.enqueue(desk.context, post({"bucket": "later"}, key="k"), "job")
    desk.s3.objects["later"] = {}
    assert api.enqueue(desk.context, post({"bucket": "later"}, key="k"), "job").status == 202


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"count": -1}, "count"),
        ({"count": "many"}, "count"),
        ({"count": 1.5}, "count"),
        ({"count": True}, "count"),
        ({}, "count"),
        ({"count": 1, "maxPrice": 0}, "maxPrice"),
        ({"number": 1, "count": 1}, "number"),
        ([1], "object"),
    ],
)
def test_a_wrong_body_is_refused_by_the_fields_name(desk: Desk, wrong: object, name: str) -> None:
    with pytest.raises(ParameterError, match=name):
        api.launch(desk.context, post(wrong), "job")
    assert desk.world.registry.job("job").wishes == ()


@pytest.mark.parametrize("body", [b"{", b"\xff", b"environmentZip=e", b"[]", b"3"])
def test_a_body_that_is_not_json_is_refused(desk: Desk, body: bytes) -> None:
    with pytest.raises(ParameterError):
        api.put_job(desk.context, Call("/p", {}, body), "new")


@pytest.mark.parametrize(
    "query",
    [
        {"state": "dead"},
        {"limit": "0"},
        {"limit": "1001"},
        {"next": "zz"},
        {"query": "["},
        {"query": "length(`1`)"},
        {"prefix": "x" * 1025},
    ],
)
def test_a_wrong_query_string_is_refused(desk: Desk, query: dict[str, str]) -> None:
    with pytest.raises(ParameterError):
        api.list_tasks(desk.context, Call("/p", query), "job")


def test_a_key_of_1025_bytes_is_refused(desk: Desk) -> None:
    with pytest.raises(ParameterError, match="1024"):
        api.get_task(desk.context, ask(key="é" * 512 + "x"), "job")


def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    calls = (api.get_job, api.list_tasks, api.list_instances, api.stop_instances, api.pause)
    for call in (*calls, api.resume):
        with pytest.raises(NotFound):
            call(desk.context, ask(), "nobody")
    with pytest.raises(NotFound):
        api.get_task(desk.context, ask(key="nothing"), "job")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x"), 404),
        (Conflict("x"), 409),
        (ParameterError([]), 400),
        (RuntimeError("secret"), 500),
    ],
)
def test_errors_become_answers_and_the_systems_own_explain_nothing(
    error: Exception, status: int
) -> None:
    answer = answers.failure(error)
    assert answer.status == status
    assert set(answer.document) == {"Code", "Message"}
    assert "secret" not in answer.document["Message"]
    assert answers.severity(answer) == (logging.ERROR if status == 500 else logging.INFO)
