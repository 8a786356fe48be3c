"""The commands as a user types them: the API is a fake, S3 a real one over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aws_parallelizer.cli import retries
from integration.stage import COUNTS, Stage, opened, write


@pytest.fixture
def stage(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with opened(endpoint, monkeypatch) as stage:
        yield stage


def test_create_stores_the_environment_before_the_job(stage: Stage, tmp_path: Path) -> None:
    write(tmp_path, {"env/run.sh": b"#!/bin/sh\n", "p.txt": b"analysisProgram=run.sh\n"})
    arguments = ["create", "j", str(tmp_path / "p.txt"), "--environment", str(tmp_path / "env")]
    told = stage.run(*arguments, "--set", "maxInstances=2")
    [asked] = stage.api.asked
    assert (asked.method, asked.path) == ("PUT", "/api/jobs/j")
    assert asked.body["maxInstances"] == 2
    assert stage.keys("env") == {asked.body["environmentZip"]}
    assert f"s3://{stage.buckets['input']}/j/" in told.output


def test_create_says_all_that_is_wrong_and_sends_nothing(stage: Stage, tmp_path: Path) -> None:
    told = stage.run("create", "j", "--set", "maxInstance=1", "--set", "timeout=x", code=1)
    for name in ("maxInstances", "timeout", "environmentZip"):
        assert name in told.output
    assert stage.api.asked == []


def test_status_shows_counts_and_the_sentence(stage: Stage) -> None:
    told = stage.run("status", "j").output
    assert "3 of 5 ended" in told
    assert "2 at work" in told
    assert "i-1  t3.small" in told
    assert json.loads(stage.run("status", "j", "--json").output)["status"]["counts"] == COUNTS
    assert "2 at work" in stage.run("status").output


def test_tasks_follows_every_page(stage: Stage) -> None:
    told = stage.run("tasks", "j", "--state", "failed", "--json").output
    assert [json.loads(line)["key"] for line in told.splitlines()] == ["j/[x]", "j/[x]"]
    assert [asked.query["state"] for asked in stage.api.asked] == ["failed", "failed"]
    assert "j/[x]" in stage.run("tasks", "j").output


def test_a_task_is_shown_without_what_would_move_the_cursor(stage: Stage) -> None:
    told = stage.run("task", "j", "j/[x]").output
    assert "j/[x]" in told
    assert "bad\\x1b[2J\nthing" in told
    assert stage.api.asked[0].query == {"key": "j/[x]"}


def test_the_panic_button_asks_first(stage: Stage) -> None:
    stage.run("stop", "j", typed="n\n", code=1)
    assert stage.api.asked == []
    stage.run("stop", "j", typed="y\n")
    stage.run("stop", "j", "--yes")
    assert [asked.method for asked in stage.api.asked] == ["DELETE", "DELETE"]


def test_start_and_enqueue_ask_for_what_was_given(stage: Stage) -> None:
    stage.run("start", "j", "--count", "4", "--max-price", "0.1")
    stage.run("enqueue", "j", "--prefix", "old/")
    stage.run("enqueue", "j")
    assert [asked.body for asked in stage.api.asked] == [
        {"count": 4, "maxPrice": 0.1},
        {"prefix": "old/"},
        {},
    ]


def retried(run: str, count: int, *, under_way: bool, passed_over: int = 0) -> dict[str, Any]:
    told = {"id": run, "retried": count, "passedOver": passed_over, "unknown": 0}
    return {"job": "j", "status": {"retry": {**told, "underWay": under_way}}}


def test_a_retry_waits_until_all_are_back_in_the_queue_and_counts_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "EVERY_SECONDS", 0.01)
    stage.api.answers["GET /api/jobs/j"] = [
        (200, retried("r1", 0, under_way=True)),
        (200, retried("r1", 7, under_way=True)),
        (200, retried("r1", 9, under_way=False, passed_over=1)),
    ]
    told = stage.run("retry", "j", "--outcome", "timeout", "--prefix", "j/x")
    assert "9 back in the queue, 1 passed over" in told.output
    asked = [(one.method, one.body) for one in stage.api.asked]
    assert asked == [
        ("POST", {"outcome": "timeout", "prefix": "j/x"}),
        *[("GET", None)] * 3,
    ]


def test_more_keys_than_one_call_takes_are_retried_in_several(stage: Stage) -> None:
    stage.api.answers["GET /api/jobs/j"] = [
        (200, retried("r1", 1000, under_way=False)),
        (200, retried("r2", 1, under_way=False)),
    ]
    keys = [f"j/{number}" for number in range(1001)]
    assert "1001 back in the queue." in stage.run("retry", "j", *keys).output
    bodies = [one.body for one in stage.api.asked if one.method == "POST"]
    assert bodies == [{"keys": keys[:1000]}, {"keys": keys[1000:]}]


def test_a_retry_that_another_one_hides_says_so(stage: Stage) -> None:
    stage.api.answers["GET /api/jobs/j"] = [(200, retried("r9", 5, under_way=True))]
    assert "another retry has begun" in stage.run("retry", "j").output


def test_pause_and_resume_say_what_will_happen(stage: Stage) -> None:
    assert stage.run("pause", "j").output == "j is paused: nothing is launched.\n"
    assert stage.run("resume", "j").output == "j is resumed: instances are launched.\n"
    paths = [(asked.method, asked.path) for asked in stage.api.asked]
    assert paths == [("POST", "/api/jobs/j/pause"), ("POST", "/api/jobs/j/resume")]


def test_delete_waits_until_the_job_is_gone(stage: Stage) -> None:
    gone = (404, {"Code": "NotFound", "Message": "there is no job j"})
    stage.api.answers["GET /api/jobs/j"].append(gone)
    assert "j is gone" in stage.run("delete", "j", "--purge", "--yes").output
    methods = [(asked.method, asked.query) for asked in stage.api.asked]
    assert methods == [("DELETE", {"purge": "true"}), ("GET", {}), ("GET", {})]


def test_the_apis_refusal_is_one_sentence_and_exit_code_1(stage: Stage) -> None:
    told = stage.run("status", "other", code=1)
    assert told.output == "there is no /api/jobs/other\n"


def test_a_wrong_call_is_exit_code_2(stage: Stage) -> None:
    stage.run("upload", "j", code=2)
    stage.run("start", "j", "--count", "0", code=2)
    stage.run("nonsense", code=2)


def test_ctrl_c_is_exit_code_130_and_no_traceback(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("aws_parallelizer.cli.watching.time.sleep", pressed)
    told = stage.run("status", "j", "--watch", code=130)
    assert told.output.endswith("Interrupted.\n")


def test_without_an_address_the_stack_is_asked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PARALLELIZER_API")
    told = stage.run("status", "--stack", "nowhere", code=1)
    assert "There is no stack nowhere in us-east-1" in told.output
