"""While a deploy runs, old and new code read and write the same rows: each understands the other's.

The rows are those of release 0.1, as its code wrote them. They never change; what is stored
differently later is read beside them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from aws_parallelizer.aws.dynamodb import Document, Key
from aws_parallelizer.core import message
from aws_parallelizer.core.outcome import State
from aws_parallelizer.core.parameters import Parameters
from chalicelib import steps
from fleets import START, World

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/parallelizer-job"
PARAMETERS = {
    "region": "us-east-1",
    "input_bucket": "parallelizer-input",
    "output_bucket": "parallelizer-output",
    "environment_bucket": "parallelizer-environment",
    "input_prefix": "job/",
    "output_prefix": "job/",
    "queue_url": QUEUE,
    "environment_zip": "e.zip",
    "environment_prefix": "",
    "analysis_program": "run.sh",
    "visibility_timeout": 120,
    "num_threads": 0,
    "should_shutdown": True,
    "shutdown_behavior": "terminate",
    "spot_type": "persistent",
    "key_pair": None,
    "image_id": None,
    "security_group": None,
    "subnets": None,
    "instance_type": None,
    "max_price": 0.1,
    "max_instances": 10,
    "drain_seconds": 600,
    "max_attempts": 3,
    "timeout": 0,
    "on_demand_after": 0,
    "budget": None,
    "filter": None,
    "keep_logs": "failed",
    "idle_timeout": 120,
    "notify": None,
}
JOB = {
    "name": "job",
    "parameters": PARAMETERS,
    "created": "2026-03-01T12:00:00Z",
    "queueUrl": QUEUE,
    "deadLetterUrl": f"{QUEUE}-dead",
    "ownQueue": True,
    "enqueues": ["r1"],
    "version": 1,
}
TASK = {
    "job": "job",
    "key": "job/a",
    "bucket": "parallelizer-input",
    "etag": "e",
    "size": 1,
    "state": "queued",
    "since": "2026-03-01T12:00:00Z",
    "enqueued": "2026-03-01T12:00:00Z",
    "sequencer": "01",
}
FLEET = {
    "job": "job",
    "observed": "2026-03-01T12:00:00Z",
    "jobVersion": 1,
    "instances": [
        {
            "id": "i-1",
            "type": "c7i.large",
            "zone": "us-east-1a",
            "state": "running",
            "launched": "2026-03-01T12:00:00Z",
            "spot": True,
            "request": "sir-1",
            "launch": "l1",
        }
    ],
    "requests": [
        {
            "id": "sir-1",
            "type": "persistent",
            "state": "active",
            "status": "fulfilled",
            "instance": "i-1",
        }
    ],
    "sentence": "1 task in the queue, 1 of 1 instance there",
    "empty": {"readings": 2, "since": "2026-03-01T11:59:00Z"},
    "lost": {},
    "backoff": {"failures": 1, "until": "2026-03-01T12:05:00Z", "sentence": "no capacity"},
    "secondsPerTask": 4.5,
    "version": 1,
}
INTENT = {
    "id": "l1",
    "job": "job",
    "count": 1,
    "created": "2026-03-01T12:00:00Z",
    "call": "run_instances",
    "arguments": "{}",
    "resolved": True,
    "instances": ["i-1"],
    "version": 2,
}
ANSWER = {"request": "r", "status": 202, "body": "{}", "until": "2026-03-02T12:00:00Z"}
STEP = {
    "step": "enqueue",
    "job": "job",
    "run": "r1",
    "bucket": "parallelizer-input",
    "prefix": "job/",
    "began": "2026-03-01T12:00:00Z",
    "after": "job/0",
}
ROWS = {
    Key("job", "job"): JOB,
    Key("fleet", "job"): FLEET,
    Key("intent#job", "l1"): INTENT,
    Key("answer", "k"): ANSWER,
}
NEWER = {"fromTheFuture": {"a": [1, 2]}}


@pytest.fixture(params=["of the release before", "of a newer release"])
def world(request: pytest.FixtureRequest) -> World:
    more = NEWER if "newer" in request.param else {}
    world = World()
    for key, row in ROWS.items():
        world.table.documents[key] = Document(key, 1, json.dumps({**row, **more}))
    partition = Key("task#job#1", "job/a")
    world.table.documents[partition] = Document(
        partition,
        1,
        json.dumps({**TASK, **more}),
        state="job#queued#1",
        since="2026-03-01T12:00:00.000000+00:00",
    )
    return world


def test_rows_of_another_release_are_read(world: World) -> None:
    job = world.registry.job("job")
    assert (job.parameters.max_price, job.enqueues, job.own_queue) == (0.1, ("r1",), True)
    assert (job.stopped, job.paused, job.wishes, job.inputs_since) == (False, False, (), None)
    fleet = world.fleet()
    assert (fleet.empty.readings, fleet.backoff.failures, fleet.seconds_per_task) == (2, 1, 4.5)
    assert (fleet.instances[0].id, fleet.requests[0].status) == ("i-1", "fulfilled")
    [intent] = world.registry.intents("job")
    assert (intent.instances, intent.resolved) == (("i-1",), True)
    row = world.row("job/a")
    assert (row.state, row.sequencer, row.attempts) == (State.QUEUED, "01", 0)
    answer = world.registry.answer("k", now=START)
    assert answer
    assert answer.status == 202


def test_reconcile_works_on_rows_of_another_release(world: World) -> None:
    world.tick(3)
    assert "failed" not in world.fleet().sentence
    assert world.fleet().observed > START


def test_what_a_newer_release_wrote_into_a_jobs_row_outlives_an_older_ones_change() -> None:
    world = World()
    key = Key("job", "job")
    world.table.documents[key] = Document(key, 1, json.dumps({**JOB, **NEWER}))
    changed = world.change_job(stopped=True)
    assert (changed.stopped, changed.version) == (True, 2)
    stored = json.loads(world.table.documents[key].text)
    assert (stored["fromTheFuture"], stored["stopped"]) == (NEWER["fromTheFuture"], True)
    world.change_job(stopped=False)
    assert not world.registry.job("job").stopped
    assert json.loads(world.table.documents[key].text)["fromTheFuture"]


@pytest.mark.parametrize("more", [{}, NEWER])
def test_a_step_that_another_release_sent_is_carried_out(more: dict[str, Any]) -> None:
    step = steps.decode(json.dumps({**STEP, **more}))
    assert isinstance(step, steps.Enqueue)
    assert (step.after, step.again, step.newer_than) == ("job/0", False, None)


@pytest.mark.parametrize("more", [{}, NEWER])
def test_a_message_that_another_release_sent_is_a_task(more: dict[str, Any]) -> None:
    body = {"v": 1, "job": "job", "bucket": "b", "key": "job/a", "etag": "e", "size": 1}
    assert message.decode(json.dumps({**body, **more})).key == "job/a"


def test_a_parameter_that_only_a_newer_release_has_does_not_hide_the_job() -> None:
    found = msgspec.convert({**PARAMETERS, "from_the_future": 1}, Parameters)
    assert found.max_instances == 10


def test_a_step_that_only_a_newer_release_knows_comes_again_until_that_is_there() -> None:
    with pytest.raises(msgspec.ValidationError):
        steps.decode('{"step": "from-the-future"}')


def test_times_in_rows_are_utc_whatever_offset_they_bear(world: World) -> None:
    text = json.dumps({**FLEET, "observed": "2026-03-01T14:00:00+02:00"})
    world.table.documents[Key("fleet", "job")] = Document(Key("fleet", "job"), 1, text)
    assert world.fleet().observed == datetime(2026, 3, 1, 12, tzinfo=UTC)
