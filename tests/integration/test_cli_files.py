"""Files up and down, as a user types it: S3 is a real one over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.stage import Stage, opened, read, write

ODD = {
    "a b+c%20é.txt": b"1",
    "it's; rm -rf $(x).txt": b"2",
    "日本/語.bin": b"\0\xff" * 500,
    "new\nline": b"3",
    "empty": b"",
    "dir/[red]same": b"4",
    "dir2/[red]same": b"5",
}


@pytest.fixture
def stage(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with opened(endpoint, monkeypatch) as stage:
        yield stage


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
