"""The worker's log: JSON for machines, text for people, and what each line is about."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aws_parallelizer.aws.object_errors import ObjectFailure
from aws_parallelizer.core.outcome import State
from aws_parallelizer.core.task import Task
from aws_parallelizer.worker import logs
from aws_parallelizer.worker.settings import Settings
from aws_parallelizer.worker.work import Work
from pipelines import JOB, Plant

NOW = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
ALWAYS = {"job": "photos", "instance": "i-1"}


def work(key: str = "data/a") -> Work:
    row = Task(
        job="photos",
        key=key,
        bucket="in",
        etag="e",
        size=9,
        state=State.RUNNING,
        since=NOW,
        enqueued=NOW,
        attempts=1,
        instance="i-1",
    )
    return Work(task=row, handle="h", taken=0.0, at_once=1, notify=lambda: None)


def record(message: str, *arguments: object, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("a.b", logging.INFO, "f.py", 1, message, arguments, None)
    made.created = NOW.timestamp()
    vars(made).update(more)
    return made


def told(formatter: logging.Formatter, made: logging.LogRecord) -> dict[str, object]:
    found: dict[str, object] = json.loads(formatter.format(made))
    return found


def test_a_json_line_says_when_what_and_about_whom() -> None:
    found = told(logs.JsonLines(ALWAYS), record("so %s", "it goes", fields={"outcome": "done"}))
    assert found == {
        "time": "2026-03-01T12:30:15.000+00:00",
        "level": "INFO",
        "logger": "a.b",
        "message": "so it goes",
        **ALWAYS,
        "outcome": "done",
    }


def test_what_is_not_known_yet_is_not_said() -> None:
    assert "job" not in told(logs.JsonLines({"job": "", "instance": "i-1"}), record("x"))


def test_a_line_about_a_task_says_key_and_attempt_whoever_logs_it() -> None:
    with logs.about(work()):
        found = told(logs.JsonLines(ALWAYS), record("x"))
    assert (found["key"], found["attempt"]) == ("data/a", 2)
    assert "key" not in told(logs.JsonLines(ALWAYS), record("x"))


def test_tasks_side_by_side_do_not_mix_up_their_lines() -> None:
    async def one(key: str) -> object:
        with logs.about(work(key)):
            await asyncio.sleep(0)
            return await asyncio.to_thread(lambda: told(logs.JsonLines(), record("x"))["key"])

    async def both() -> list[object]:
        return await asyncio.gather(one("data/a"), one("data/b"))

    assert asyncio.run(both()) == ["data/a", "data/b"]


def test_a_text_line_is_one_that_people_read() -> None:
    fields = {"outcome": "done", "reason": "two words", "_aws": {"for": "CloudWatch"}}
    line = logs.TextLines({"job": "photos"}).format(record("task ended", fields=fields))
    assert line == "12:30:15 INFO    task ended  job=photos  outcome=done  reason='two words'"


def test_a_name_from_outside_begins_no_line_of_text_and_moves_no_cursor() -> None:
    line = logs.TextLines().format(record("%s", "a\n\x1b[2Jb", fields={"key": "c\r\nd"}))
    assert line.isprintable()
    assert "\\n" in line


def test_a_traceback_stands_below_its_line() -> None:
    try:
        {}["x"]  # type: ignore[index]
    except KeyError:
        made = record("it broke", exc_info=sys.exc_info())
    first, *others = logs.TextLines().format(made).splitlines()
    assert first.endswith("it broke")
    assert others[0] == "Traceback (most recent call last):"
    assert others[-1] == "KeyError: 'x'"


def test_the_name_of_a_file_that_is_not_utf_8_costs_no_line() -> None:
    odd = b"caf\xe9".decode(errors="surrogateescape")
    assert told(logs.JsonLines(), record("no %s", odd))["message"] == f"no {odd}"
    assert logs.TextLines().format(record("no %s", odd)).isprintable()


@pytest.mark.parametrize(
    ("kind", "terminal", "text"),
    [
        ("", True, True),
        ("", False, False),
        ("json", True, False),
        ("text", False, True),
    ],
)
def test_it_is_text_at_a_terminal_and_json_elsewhere_unless_told_otherwise(
    kind: str, terminal: bool, text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.start(kind)
        assert isinstance(root.handlers[0].formatter, logs.TextLines if text else logs.JsonLines)
    finally:
        root.handlers[:], root.level = before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARALLELIZER_LOG", "xml"),
        ("PARALLELIZER_BEAT_SECONDS", "soon"),
        ("PARALLELIZER_NOTICE_SECONDS", "-1"),
        ("PARALLELIZER_SETTLE_SECONDS", "inf"),
        ("PARALLELIZER_POWEROFF", "'unclosed"),
        ("PARALLELIZER_POWEROFF", " "),
    ],
)
def test_a_variable_that_cannot_be_read_is_named_and_the_others_are_read(
    name: str, value: str
) -> None:
    found = Settings.read({name: value, "PARALLELIZER_SCRATCH": "/there"})
    [problem] = found.problems
    assert problem.startswith(f"{name} is ")
    assert value in problem
    assert found == Settings.read({"PARALLELIZER_SCRATCH": "/there"})._replace(problems=(problem,))


def test_lines_of_a_failing_service_say_whose_attempt_it_fails(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plant = Plant(tmp_path, "true")
    plant.put("data/a")
    plant.objects.failures = [ObjectFailure("so it goes")]
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.start("json", always=ALWAYS)
        plant.run()
    finally:
        root.handlers[:], root.level = before
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    [line] = [line for line in lines if "tried again" in line["message"]]
    assert (line["job"], line["key"], line["attempt"], line["instance"]) == (
        JOB,
        "data/a",
        1,
        "i-1",
    )
    [ended] = [line for line in lines if line["message"] == "task ended"]
    assert (ended["key"], ended["outcome"], ended["attempt"]) == ("data/a", "done", 1)
