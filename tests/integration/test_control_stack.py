"""The deployed control plane, driven over HTTP, S3 and SQS: real Lambdas behind real triggers."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

import pytest

from aws_parallelizer.aws.api import ApiError
from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.core import attempts, task
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import Outcome
from aws_parallelizer.core.task import Ended
from stackhand import Stack, run
from waiting import until

ODD = ["a b+c%20é.txt", "it's; rm -rf $(x).txt", "日本/語.bin", 'q"uote', "empty"]
WANTED = {"environmentZip": "e.zip", "analysisProgram": "run.sh"}


@pytest.fixture(scope="module")
def stack(endpoint: str) -> Stack:
    return Stack(endpoint, "driven", "NudgeSeconds=1")


def test_an_unsigned_call_is_refused(stack: Stack) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{stack.base}/jobs", timeout=30)
    assert caught.value.code == 403
    caught.value.close()


def test_uploads_become_tasks_under_their_own_keys(stack: Stack) -> None:
    stack.api.put("/jobs/odd", WANTED)
    for name in ODD:
        stack.put(f"odd/{name}", b"" if name == "empty" else b"x")
    stack.put("odd/folder/", b"")
    stack.put("nobody/x")
    keys = {f"odd/{name}" for name in ODD}
    until(lambda: stack.tasks("odd").keys() == keys, seconds=90, what="the uploads are tasks")
    until(lambda: stack.messages("odd") == len(ODD), seconds=60, what="each has a message")
    for key in keys:
        task = stack.api.get("/jobs/odd/task", key=key)
        assert (task["key"], task["state"]) == (key, "queued")
        with urllib.request.urlopen(task["links"]["input"], timeout=30) as answer:
            assert answer.read() == (b"" if key.endswith("empty") else b"x")


def test_an_event_that_is_sent_again_makes_no_second_message(stack: Stack) -> None:
    stack.api.put("/jobs/twice", WANTED)
    stack.put("twice/a")
    until(lambda: stack.tasks("twice"), seconds=30, what="the upload is a task")
    etag = stack.tasks("twice")["twice/a"]["etag"]
    record = {
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": stack.outputs["InputBucket"]},
            "object": {"key": "twice/a", "eTag": etag, "size": 1, "sequencer": "01"},
        },
    }
    other = {**record, "s3": {**record["s3"], "object": {"key": "twice/b", "eTag": "e"}}}  # type: ignore[dict-item]
    body = json.dumps({"Records": [record, record, other]})
    stack.client("sqs").send_message(QueueUrl=stack.outputs["UploadsQueue"], MessageBody=body)
    until(lambda: "twice/b" in stack.tasks("twice"), seconds=30, what="the event is taken in")
    assert stack.messages("twice") == 2


def test_a_poison_body_blocks_no_other(stack: Stack) -> None:
    stack.api.put("/jobs/poison", WANTED)
    uploads = stack.outputs["UploadsQueue"]
    stack.client("sqs").send_message(QueueUrl=uploads, MessageBody="not JSON")
    stack.put("poison/a")
    until(lambda: stack.tasks("poison"), seconds=30, what="the upload is a task")


def test_a_poison_body_ends_in_the_dead_letter_queue_where_it_is_counted(stack: Stack) -> None:
    sqs, uploads = stack.client("sqs"), stack.outputs["UploadsQueue"]
    asked = sqs.get_queue_attributes(QueueUrl=uploads, AttributeNames=["RedrivePolicy"])
    arn = json.loads(asked["Attributes"]["RedrivePolicy"])["deadLetterTargetArn"]
    dead = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    sqs.send_message(QueueUrl=uploads, MessageBody="poison")

    def counted() -> bool:
        name = "ApproximateNumberOfMessages"
        told = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=[name])
        return int(told["Attributes"][name]) >= 1

    until(counted, seconds=120, what="the poison lies in the dead-letter queue")


def test_what_was_there_before_the_job_is_enqueued_in_the_background(stack: Stack) -> None:
    keys = {f"early/{number:04}" for number in range(300)}
    for key in keys:
        stack.put(key)
    stack.api.put("/jobs/early", WANTED)
    answer = stack.api.post("/jobs/early/enqueue", {})
    assert answer["prefix"] == "early/"
    until(
        lambda: not stack.api.get("/jobs/early")["status"]["enqueueing"],
        seconds=60,
        what="the enqueueing ends",
    )
    assert stack.tasks("early").keys() == keys
    assert stack.messages("early") == len(keys)
    stack.api.delete("/jobs/early", purge="true")


def test_failed_tasks_go_back_to_the_queue_in_the_background(stack: Stack) -> None:
    stack.api.put("/jobs/again", WANTED)
    keys = [f"again/{number}" for number in range(60)] + ["again/a b+c%20é.txt"]
    failed(stack, "again", keys, Outcome.TIMEOUT)
    failed(stack, "again", ["again/other"], Outcome.PROGRAM_ERROR)

    run = stack.api.post("/jobs/again/retry", {"outcome": "timeout"})["retry"]

    def told() -> dict[str, Any]:
        found: dict[str, Any] = stack.api.get("/jobs/again")["status"]["retry"]
        return found

    until(lambda: not told()["underWay"], seconds=60, what="the retry ends")
    assert (told()["id"], told()["retried"]) == (run, len(keys))
    tasks = stack.tasks("again")
    queued = {key for key, task in tasks.items() if task["state"] == "queued"}
    assert queued == set(keys)
    assert {(tasks[key]["attempts"], tasks[key]["retries"]) for key in keys} == {(0, 1)}
    assert stack.messages("again") == len(keys)

    stack.api.post("/jobs/again/retry", {"keys": ["again/other", "again/0", "again/none"]})
    until(lambda: not told()["underWay"], seconds=60, what="the second retry ends")
    counts = [told()[name] for name in ("retried", "passedOver", "unknown")]
    assert counts == [1, 1, 1]
    assert stack.messages("again") == len(keys) + 1
    stack.api.delete("/jobs/again", purge="true")


def failed(stack: Stack, job: str, keys: list[str], outcome: Outcome) -> None:
    """Tasks as a worker leaves them that have failed so."""
    ledger = Ledger(Table(stack.client("dynamodb"), name=stack.outputs["LedgerTable"]))
    now, bucket = datetime.now(UTC), stack.outputs["InputBucket"]
    rows = []
    for key in keys:
        body = Message(job=job, bucket=bucket, key=key, etag="e", size=1)
        row = task.enqueue(None, body, sequencer="", now=now)
        assert row
        rows.append(attempts.end(row, Ended(outcome=outcome), max_attempts=1, now=now))
    assert all(ledger.write(rows))


def test_what_reconcile_would_do_is_said_and_not_done(stack: Stack) -> None:
    stack.api.put("/jobs/planned", WANTED)
    stack.put("planned/a")
    until(lambda: stack.messages("planned") == 1, seconds=30, what="the upload has a message")

    told = run(stack.endpoint, "plan", "--stack", stack.name, "--job", "planned")

    # Between two tries it would launch; else it says what it waits for.
    assert re.match("planned: (no environment: upload e.zip|launching 1 instance: 1 )", told.stdout)
    assert stack.api.get("/jobs/planned/instances")["instances"] == []
    nobody = run(stack.endpoint, "plan", "--stack", stack.name, "--job", "nobody")
    assert (nobody.returncode, nobody.stderr) == (1, "plan: stack driven has no job nobody\n")


def test_a_job_is_made_changed_and_listed(stack: Stack) -> None:
    first = stack.api.put("/jobs/shown", {**WANTED, "maxPrice": 0.25})
    again = stack.api.put("/jobs/shown", {**WANTED, "maxPrice": 0.25})
    assert first["parameters"] == again["parameters"]
    assert first["parameters"]["maxPrice"] == 0.25
    listed = [job["job"] for page in stack.api.pages("/jobs", limit="2") for job in page["jobs"]]
    assert "shown" in listed
    assert listed == sorted(set(listed))


def test_refusals_name_what_is_wrong(stack: Stack) -> None:
    for call, status, word in [
        (lambda: stack.api.put("/jobs/bad", {**WANTED, "numThread": 1}), 400, "numThreads"),
        (lambda: stack.api.put("/jobs/UPPER", WANTED), 400, "lower-case"),
        (lambda: stack.api.get("/jobs/nobody"), 404, "nobody"),
        (lambda: stack.api.post("/jobs/nobody/instances", {"count": 1}), 404, "nobody"),
        (lambda: stack.api.post("/jobs/nobody/instances", {"number": 1}), 400, "number"),
    ]:
        with pytest.raises(ApiError, match=word) as caught:
            call()
        assert caught.value.status == status


def test_a_body_of_another_type_is_refused(stack: Stack) -> None:
    api = stack.api
    status, answer = api._send(
        "PUT", f"{stack.base}/jobs/xml", headers={"Content-Type": "text/xml"}, body=b"<x/>"
    )
    assert (status, json.loads(answer)["Code"]) == (415, "UnsupportedMediaType")


def test_a_job_that_is_being_deleted_says_so_and_cannot_be_made_anew(stack: Stack) -> None:
    stack.api.put("/jobs/going", WANTED)
    assert stack.api.delete("/jobs/going")["status"]["state"] == "deleting"
    assert stack.api.delete("/jobs/going", purge="true")["status"]["state"] == "deleting"
    with pytest.raises(ApiError, match="being deleted") as caught:
        stack.api.put("/jobs/going", WANTED)
    assert caught.value.status == 409
