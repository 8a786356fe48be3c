"""The demo ends well only if every file is accounted for and nothing is left."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from aws_parallelizer.core.fleet import Instance, SpotRequest
from local import accounts, sample

OUT = {"key": "out/a.json", "size": 3}


def task(key: str, state: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"key": key, "state": state, "outputs": list(outputs)}


def audit(tasks: list[dict[str, Any]], fetched: dict[str, int]) -> accounts.Report:
    return accounts.audit(sent=["a", "b"], tasks=tasks, fetched=fetched)


def test_done_failed_and_skipped_files_are_accounted_for() -> None:
    failed = {**task("b", "failed"), "outcome": "program-error", "lastOutput": "x\nno good\n"}
    report = audit([task("a", "done", OUT), failed], {"out/a.json": 3})
    assert report.balanced
    assert report.failed == ["b: program-error: no good"]


@pytest.mark.parametrize(
    ("tasks", "fetched"),
    [
        ([task("a", "done", OUT)], {"out/a.json": 3}),
        ([task("a", "done", OUT), task("b", "running")], {"out/a.json": 3}),
        ([task("a", "done", OUT), task("b", "done")], {}),
        ([task("a", "done", OUT), task("b", "done")], {"out/a.json": 2}),
        ([task("a", "done"), task("b", "done"), task("c", "done")], {}),
    ],
    ids=["never enqueued", "still open", "output missing", "output cut off", "never sent"],
)
def test_a_file_that_is_not_accounted_for_is_named(
    tasks: list[dict[str, Any]], fetched: dict[str, int]
) -> None:
    report = audit(tasks, fetched)
    assert not report.balanced
    console = Console(width=120)
    left = accounts.Left.of(requests=[], instances=[])
    with console.capture() as shown:
        console.print(accounts.summary(report, left, seconds=1))
    for key in [*report.unaccounted, *report.missing]:
        assert key in shown.get()


def test_an_open_request_or_a_live_instance_is_something_left() -> None:
    request = SpotRequest(id="sir-1", type="persistent", state="cancelled", status="x")
    over = Instance(
        id="i-1", type="t", zone="z", state="terminated", launched=datetime.now(UTC), spot=True
    )
    assert accounts.Left.of(requests=[request], instances=[over]).nothing
    for changed in ("open", "active", "disabled"):
        alive = SpotRequest(id="sir-2", type="persistent", state=changed, status="x")
        assert accounts.Left.of(requests=[request, alive], instances=[over]).open_requests == [
            "sir-2"
        ]
    running = Instance(id="i-2", type="t", zone="z", state="running", launched=datetime.now(UTC))
    assert not accounts.Left.of(requests=[], instances=[over, running]).nothing


def test_the_sample_has_some_hundreds_of_real_files(tmp_path: Path) -> None:
    folder = sample.gather(tmp_path)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 200
    assert all(path.stat().st_size <= sample.MAX_BYTES for path in files)
