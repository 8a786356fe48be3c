"""The commands as a user types them: the API is a fake, S3 a real one over HTTP."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

import emulator
from aws_parallelizer.aws import clients
from aws_parallelizer.cli import retries
from aws_parallelizer.cli.main import app
from fakes.http_api import HttpApi, serving

ODD = {
    "a b+c%20é.txt": b"1",
    "it's; rm -rf $(x).txt": b"2",
    "日本/語.bin": b"\0\xff" * 500,
    "new\nline": b"3",
    "empty": b"",
    "dir/[red]same": b"4",
    "dir2/[red]same": b"5",
}
COUNTS = {"queued": 1, "running": 1, "done": 2, "failed": 1, "skipped": 0}

INSTANCE = {"id": "i-1", "type": "t3.small", "zone": "us-east-1a", "state": "running"}


class Stage(NamedTuple):
    """A user's terminal, with the fake API and the buckets behind it."""

    api: HttpApi
    s3: Any
    buckets: dict[str, str]

    def run(self, *arguments: str, code: int = 0, typed: str = "") -> Result:
        """Run a command, and see how it ends."""
        result = CliRunner().invoke(app, list(arguments), input=typed)
        assert result.exit_code == code, result.output
        return result

    def keys(self, name: str) -> set[str]:
        """What lies in a bucket."""
        listed = self.s3.list_objects_v2(Bucket=self.buckets[name])
        return {entry["Key"] for entry in listed.get("Contents", [])}


@pytest.fixture
def stage(endpoint: str, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    s3 = emulator.client("s3", endpoint)
    buckets = {kind: f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("input", "output", "env")}
    for bucket in buckets.values():
        s3.create_bucket(Bucket=bucket)
    document = {
        "job": "j",
        "parameters": {
            "inputBucket": buckets["input"],
            "inputPrefix": "j/",
            "outputBucket": buckets["output"],
            "outputPrefix": "out/",
        },
        "status": {
            "state": "active",
            "counts": COUNTS,
            "line": "2 at work",
            "instances": [INSTANCE],
            "instanceCount": 1,
        },
    }
    task = {"key": "j/[x]", "state": "failed", "attempts": 3, "lastOutput": "bad\x1b[2J\nthing"}
    answers: dict[str, list[tuple[int, Any]]] = {
        "GET /api/jobs": [(200, {"jobs": [document]})],
        "GET /api/jobs/j": [(200, document)],
        "PUT /api/jobs/j": [(201, document)],
        "DELETE /api/jobs/j": [(202, {})],
        "POST /api/jobs/j/enqueue": [(202, {})],
        "POST /api/jobs/j/retry": [(202, {"retry": "r1"}), (202, {"retry": "r2"})],
        "POST /api/jobs/j/instances": [(202, {})],
        "DELETE /api/jobs/j/instances": [(202, {})],
        "POST /api/jobs/j/pause": [(202, {"message": "nothing is launched"})],
        "POST /api/jobs/j/resume": [(202, {"message": "instances are launched"})],
        "GET /api/jobs/j/tasks": [(200, {"tasks": [task], "next": "t"}), (200, {"tasks": [task]})],
        "GET /api/jobs/j/task": [(200, task)],
    }
    with serving(answers) as api:
        for name, value in {
            **emulator.CREDENTIALS,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": emulator.REGION,
            "PARALLELIZER_API": api.base,
            "PARALLELIZER_ENVIRONMENT_BUCKET": buckets["env"],
        }.items():
            monkeypatch.setenv(name, value)
        clients.session.cache_clear()
        yield Stage(api, s3, buckets)
        clients.session.cache_clear()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_odd_names_go_up_and_come_down_byte_for_byte(stage: Stage, tmp_path: Path) -> None:
    told = stage.run("upload", "j", str(write(tmp_path / "in", ODD)))
    assert f"{len(ODD)} files uploaded" in told.output
    assert stage.keys("input") == {f"j/{name}" for name in ODD}
    for name, content in ODD.items():
        stage.s3.put_object(Bucket=stage.buckets["output"], Key=f"out/{name}", Body=content)
    stage.run("download", "j", str(tmp_path / "results"))
    assert read(tmp_path / "results") == ODD


def test_a_second_download_fetches_only_what_is_new(stage: Stage, tmp_path: Path) -> None:
    stage.s3.put_object(Bucket=stage.buckets["output"], Key="out/a", Body=b"1")
    stage.run("download", "j", str(tmp_path))
    stage.s3.put_object(Bucket=stage.buckets["output"], Key="out/b", Body=b"2")
    told = stage.run("download", "j", str(tmp_path))
    assert "1 outputs downloaded, 1 were there" in told.output
    assert read(tmp_path) == {"a": b"1", "b": b"2"}


def test_defect_23_keys_that_cannot_be_files_are_named_and_the_others_come(
    stage: Stage, tmp_path: Path
) -> None:
    for key in ("out/../up", "out/good", "out//root"):
        stage.s3.put_object(Bucket=stage.buckets["output"], Key=key, Body=b"x")
    told = stage.run("download", "j", str(tmp_path / "results"), code=1)
    assert "2 outputs were not downloaded" in told.output
    assert "../up" in told.output
    assert read(tmp_path) == {"results/good": b"x"}


def test_a_file_that_cannot_be_written_is_named_and_leaves_nothing_partial(
    stage: Stage, tmp_path: Path
) -> None:
    for key in ("out/taken/x", "out/good"):
        stage.s3.put_object(Bucket=stage.buckets["output"], Key=key, Body=b"x")
    (tmp_path / "taken").write_text("mine")
    told = stage.run("download", "j", str(tmp_path), code=1)
    assert "out/taken/x" in told.output
    assert read(tmp_path) == {"taken": b"mine", "good": b"x"}


def test_files_that_s3_refuses_are_named(stage: Stage, tmp_path: Path) -> None:
    write(tmp_path, {"a": b"1", "b": b"2"})
    stage.s3.delete_bucket(Bucket=stage.buckets["input"])
    told = stage.run("upload", "j", str(tmp_path), code=1)
    assert "2 of 2 files were not uploaded; run it again" in told.output
    assert "j/a: " in told.output
    assert "j/b: " in told.output


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
