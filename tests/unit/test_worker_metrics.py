"""The worker's metrics: numbers that are only added up, said as lines that CloudWatch takes."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aws_parallelizer.aws.objects import Fetched
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.core.task import Ended, Output, Task
from aws_parallelizer.core.user_data import UserData
from aws_parallelizer.worker import logs, metrics
from aws_parallelizer.worker.metrics import Metrics, Span, Tally, dimensions
from aws_parallelizer.worker.work import Work
from pipelines import Plant, until_true

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OF_JOB = {"Stack": "lab", "Job": "photos"}
# Of the units that CloudWatch takes, those that we use.
UNITS = {"Count", "Count/Second", "Seconds", "Bytes"}


def work(size: int | None = None) -> Work:
    row = Task(
        job="photos",
        key="data/a",
        bucket="in",
        etag="e",
        size=9,
        state=State.RUNNING,
        since=NOW,
        enqueued=NOW,
    )
    fetched = None if size is None else Fetched(size, "etag")
    return Work(task=row, handle="h", taken=0.0, at_once=1, notify=lambda: None, fetched=fetched)


def done(*sizes: int, seconds: float = 2.0) -> Ended:
    outputs = tuple(Output(key="k", size=size, checksum="sha256:0") for size in sizes)
    return Ended(outcome=Outcome.DONE, seconds=seconds, outputs=outputs)


def values(document: dict[str, Any]) -> dict[str, Any]:
    """The metrics by name; raises for what the format does not allow."""
    [directive] = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "AWSParallelizer"
    [names] = directive["Dimensions"]
    assert all(isinstance(document[name], str) and document[name] for name in names)
    assert {metric["Unit"] for metric in directive["Metrics"]} <= UNITS
    return {metric["Name"]: document[metric["Name"]] for metric in directive["Metrics"]}


def test_attempts_are_added_up_by_outcome_seconds_and_bytes_and_taken_once() -> None:
    tally = Tally()
    tally.add(work(10), done(3, 4), accepted=True)
    tally.add(work(20), Ended(outcome=Outcome.OUT_OF_MEMORY, seconds=0.5), accepted=True)
    tally.add(work(), Ended(outcome=Outcome.INPUT_MISSING), accepted=True)
    tally.add(work(30), done(5), accepted=False)
    span = tally.take()
    assert span.outcomes == {
        Outcome.DONE: 1,
        Outcome.OUT_OF_MEMORY: 1,
        Outcome.INPUT_MISSING: 1,
    }
    assert (span.refused, span.seconds, span.bytes_in, span.bytes_out) == (1, 4.5, 60, 12)
    assert tally.take() == Span()


def test_a_line_says_rate_seconds_bytes_outcomes_and_slots_of_the_job() -> None:
    tally = Tally()
    for _ in range(3):
        tally.add(work(10), done(1), accepted=True)
    tally.add(work(10), Ended(outcome=Outcome.PROGRAM_ERROR, seconds=1.0), accepted=True)
    tally.add(work(10), done(1), accepted=False)
    found = metrics.line(tally.take(), OF_JOB, seconds=8.0, running=2, slots=4, now=NOW)
    assert found["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Stack", "Job"]]
    assert (found["Stack"], found["Job"]) == ("lab", "photos")
    assert found["_aws"]["Timestamp"] == int(NOW.timestamp()) * 1000
    assert values(found) == {
        "Tasks": 4,
        "TasksPerSecond": 0.5,
        "TaskSeconds": 9.0,
        "BytesIn": 50,
        "BytesOut": 4,
        "SlotsInUse": 2,
        "Slots": 4,
        "Done": 3,
        "ProgramError": 1,
        "ResultsRefused": 1,
    }


def test_a_span_without_a_task_says_that_none_was_done() -> None:
    found = values(metrics.line(Span(), OF_JOB, seconds=0.0, running=0, slots=4, now=NOW))
    assert (found["Tasks"], found["TasksPerSecond"], found["Done"]) == (0, 0, 0)


def test_a_line_is_of_the_stacks_job_and_without_one_of_a_queue() -> None:
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/mine"
    parameters = Parameters(environment_zip="e.zip", analysis_program="run", queue_url=url)
    assert dimensions(UserData(parameters)) == {"Queue": "mine"}
    assert dimensions(UserData(parameters, job="photos")) == {"Job": "photos"}
    assert dimensions(UserData(parameters, job="photos", stack="lab")) == OF_JOB


def test_a_pipeline_adds_what_its_tasks_came_to(tmp_path: Path) -> None:
    plant = Plant(tmp_path, 'cp "$1" out-$1; echo out-$1; test "$1" != bad', max_attempts=1)
    plant.put("data/a", b"four")
    plant.put("data/bad", b"sixsix")
    plant.run()
    span = plant.tally.take()
    assert span.outcomes == {Outcome.DONE: 1, Outcome.PROGRAM_ERROR: 1}
    assert (span.bytes_in, span.bytes_out) == (10, 4)
    assert span.seconds > 0


def test_the_lines_of_a_worker_come_again_and_again_each_with_what_is_new(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tally = Tally()
    told = Metrics(OF_JOB, tally, slots=4, running=lambda: 3)

    async def story() -> None:
        keeping = asyncio.create_task(told.keep(every=0.01))
        tally.add(work(1), done(), accepted=True)
        await until_true(lambda: len(caplog.records) >= 2)
        keeping.cancel()

    with caplog.at_level(logging.INFO):
        asyncio.run(asyncio.wait_for(story(), 10))
    assert all(logs.is_sent(record) for record in caplog.records)
    lines = [json.loads(logs.JsonLines().format(record)) for record in caplog.records]
    assert [values(line)["Done"] for line in lines[:2]] == [1, 0]
    assert {line["SlotsInUse"] for line in lines} == {3}
    assert lines[0]["message"].startswith("1 tasks ended in 0.")
