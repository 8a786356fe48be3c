"""Which output objects become which files."""

from __future__ import annotations

from pathlib import Path

import pytest

from aws_parallelizer.aws.s3 import Listed
from aws_parallelizer.cli import downloads

WHEN = 1_700_000_000.0


def listed(*keys: str, size: int = 1) -> list[Listed]:
    return [Listed(key, "etag", size, WHEN) for key in sorted(keys)]


def names(plan: downloads.Plan, folder: Path) -> set[str]:
    return {item.path.relative_to(folder).as_posix() for item in plan.items}


def test_keys_lose_the_output_prefix_and_keep_their_directories(tmp_path: Path) -> None:
    plan = downloads.plan(listed("job/a", "job/b/c d"), prefix="job/", folder=tmp_path)
    assert names(plan, tmp_path) == {"a", "b/c d"}
    assert plan.refused == []


@pytest.mark.parametrize(
    "key", ["job/../up", "job/a/../../up", "job//root", "job/./here", "job/a//b", "job/nul\0"]
)
def test_defect_23_a_key_that_leaves_the_folder_is_refused_by_name(
    tmp_path: Path, key: str
) -> None:
    plan = downloads.plan(listed(key, "job/good"), prefix="job/", folder=tmp_path)
    assert names(plan, tmp_path) == {"good"}
    assert len(plan.refused) == 1


def test_defect_23_an_empty_object_is_an_empty_file_and_a_marker_is_nothing(
    tmp_path: Path,
) -> None:
    plan = downloads.plan(listed("job/", "job/d/", "job/e", size=0), prefix="job/", folder=tmp_path)
    assert names(plan, tmp_path) == {"e"}
    assert plan.refused == []


def test_a_name_that_is_too_long_for_a_file_is_refused(tmp_path: Path) -> None:
    plan = downloads.plan(listed("job/" + "é" * 128), prefix="job/", folder=tmp_path)
    assert "255 bytes" in plan.refused[0]


def test_a_file_and_a_folder_of_one_name_cannot_both_be(tmp_path: Path) -> None:
    plan = downloads.plan(listed("job/a", "job/a/b", "job/a-c"), prefix="job/", folder=tmp_path)
    assert names(plan, tmp_path) == {"a", "a-c"}
    assert "by the name of its folder" in plan.refused[0]


def test_logs_of_attempts_are_no_outputs(tmp_path: Path) -> None:
    keys = listed("job/.logs/job/a.1.log", "job/x/.logs/y")
    plan = downloads.plan(keys, prefix="job/", folder=tmp_path)
    assert names(plan, tmp_path) == {"x/.logs/y"}


def test_a_file_that_is_there_with_its_objects_size_and_time_is_left(tmp_path: Path) -> None:
    import os

    for name, when, text in [("same", WHEN, "x"), ("older", WHEN - 9, "x"), ("longer", WHEN, "xx")]:
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (when, when))
    plan = downloads.plan(listed("same", "older", "longer", "missing"), prefix="", folder=tmp_path)
    assert plan.present == 1
    assert names(plan, tmp_path) == {"older", "longer", "missing"}
