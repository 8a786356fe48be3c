"""What the API tells: jobs, tasks and instances, in documents and pages."""

from __future__ import annotations

import pytest

from aws_parallelizer.core import attempts
from aws_parallelizer.core.fleet import Fleet, Instance
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import Outcome
from aws_parallelizer.core.spending import Spending
from aws_parallelizer.core.task import Ended, Output, Task
from calls import ask, told
from chalicelib import answers, api
from chalicelib.api import Call
from desks import Desk


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.make()
    return desk


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


def started(row: Task, desk: Desk) -> Task:
    message = Message(key=row.key, bucket=row.bucket, job=row.job, etag=row.etag)
    claim = attempts.claim(
        row, message, message_id="m", instance="i", environment="", now=desk.context.now()
    )
    assert isinstance(claim, attempts.Start)
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
        [attempts.end(row, ended, max_attempts=1, now=desk.context.now()) for row in rows]
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
    row = attempts.end(desk.world.row(key), ended, max_attempts=1, now=desk.context.now())
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
