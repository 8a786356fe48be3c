"""Metrics are lines that CloudWatch's embedded metric format takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib import metrics
from chalicelib.metrics import JobNumbers, Log

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNITS = {"Count", "None"}  # of those that CloudWatch takes, the ones that we use
BUSY = JobNumbers(
    job="photos",
    queued=40,
    in_flight=2,
    running=3,
    pending=1,
    launched=2,
    refused={"capacity": 4, "price": 1},
    spent=5.0,
    added=0.01,
)


def check(document: dict[str, Any]) -> dict[str, Any]:
    """Raise for what the specification does not allow; the metrics' values by name."""
    meta = document["_aws"]
    assert set(meta) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(meta["Timestamp"], int)
    [directive] = meta["CloudWatchMetrics"]
    assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
    assert 1 <= len(directive["Namespace"]) <= 255
    for dimensions in directive["Dimensions"]:
        assert len(dimensions) <= 9
        assert all(isinstance(document[name], str) and document[name] for name in dimensions)
    assert len(directive["Metrics"]) <= 100
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert len(set(names)) == len(names)
    for metric in directive["Metrics"]:
        assert set(metric) <= {"Name", "Unit"}
        assert metric["Unit"] in UNITS
        value = document[metric["Name"]]
        assert isinstance(value, (int, float))
        assert not isinstance(value, bool)
    return {name: document[name] for name in names}


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_jobs_line_is_of_the_format_and_has_its_numbers() -> None:
    document = metrics.job_line(BUSY, stack="parallelizer", now=NOW)
    assert check(document) == {
        "Stuck": 0,
        "RunningInstances": 3,
        "PendingInstances": 1,
        "Launched": 2,
        "Spent": 0.01,
        "QueueDepth": 40,
        "OpenTasks": 42,
        "RefusedCapacity": 4,
        "RefusedPrice": 1,
        "SpentTotal": 5.0,
    }
    assert document["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Stack", "Job"]]
    assert (document["Stack"], document["Job"]) == ("parallelizer", "photos")
    assert document["_aws"]["Timestamp"] == int(NOW.timestamp()) * 1000


def test_a_runs_line_sums_up_its_jobs() -> None:
    stuck = JobNumbers(job="b", queued=1, in_flight=0, stuck=True, refused={"price": 2})
    document = metrics.run_line(stack="s", now=NOW, jobs=[BUSY, stuck], failed=1)
    found = check(document)
    assert (found["JobsStuck"], found["JobsFailed"], found["ReconcileRuns"]) == (1, 1, 1)
    assert (found["QueueDepth"], found["OpenTasks"], found["RefusedPrice"]) == (41, 43, 3)
    assert document["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Stack"]]


def test_a_run_without_jobs_says_that_none_is_stuck() -> None:
    assert check(metrics.run_line(stack="s", now=NOW, jobs=[]))["JobsStuck"] == 0


def test_what_could_not_be_read_is_not_said() -> None:
    unknown = JobNumbers(job="b", running=1)
    found = check(metrics.job_line(unknown, stack="s", now=NOW))
    assert not found.keys() & {"QueueDepth", "OpenTasks", "SpentTotal"}


def test_a_job_with_nothing_to_say_has_no_line_and_the_run_has_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = Log("s")
    log.tell(JobNumbers(job="idle", queued=0, in_flight=0, spent=3.0), now=NOW)
    log.tell(BUSY, now=NOW)
    log.close(now=NOW)
    lines = written(capsys)
    assert [line.get("Job") for line in lines] == ["photos", None]
    for line in lines:
        check(line)


def test_each_line_is_bare_json_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.say(metrics.job_line(BUSY, stack="s", now=NOW))
    out = capsys.readouterr().out
    assert out.startswith('{"_aws":')
    assert out.endswith("}\n")
    assert out.count("\n") == 1
