"""Scratch folders: shown links cost nothing, and whatever a program left goes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aws_parallelizer.worker import removal
from aws_parallelizer.worker.environment import Environment
from aws_parallelizer.worker.scratch import Scratch


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    made = Scratch(tmp_path / "scratch", None)
    made.sweep()
    made.environment.mkdir()
    for name in ("run.sh", "model"):
        (made.environment / name).write_text(name)
    return made


def shown(scratch: Scratch) -> Environment:
    return Environment(scratch.environment, frozenset({"run.sh", "model"}), "run.sh", "v1")


def test_every_attempt_is_shown_the_environment_by_the_same_links(scratch: Scratch) -> None:
    first, second = (scratch.make("data/a", shown(scratch)) for _ in range(2))
    for folder in (first, second):
        assert (folder.work / "model").is_symlink()
        assert (folder.work / "model").read_text() == "model"
    inodes = [(folder.work / "model").lstat().st_ino for folder in (first, second)]
    assert inodes[0] == inodes[1]


def test_a_program_that_removes_its_links_takes_nothing_from_the_next(scratch: Scratch) -> None:
    first = scratch.make("data/a", shown(scratch))
    (first.work / "model").unlink()
    (first.work / "model").write_text("other")
    asyncio.run(scratch.remove(first))
    assert not first.root.exists()
    assert (scratch.make("data/b", shown(scratch)).work / "model").read_text() == "model"


def test_a_sweep_removes_the_links_to_an_environment_of_before(scratch: Scratch) -> None:
    scratch.make("data/a", shown(scratch))
    other = Scratch(scratch.environment.parent, None)
    other.sweep()
    other.environment.mkdir()
    (other.environment / "new").touch()
    folder = other.make("data/a", Environment(other.environment, frozenset({"new"}), "new", "v2"))
    assert [path.name for path in folder.work.iterdir()] == ["new"]


def test_a_flat_directory_is_removed_and_what_its_links_point_to_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "file").touch()
    (flat / "link").symlink_to(tmp_path)
    assert removal.of_flat(flat)
    assert not flat.exists()
    assert (tmp_path / "kept").read_text() == "kept"


def test_a_directory_with_a_directory_or_a_large_file_is_left_to_the_removal_in_full(
    tmp_path: Path,
) -> None:
    deep, large = tmp_path / "deep", tmp_path / "large"
    (deep / "inner").mkdir(parents=True)
    large.mkdir()
    with (large / "file").open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    for folder in (deep, large):
        assert not removal.of_flat(folder)
        assert any(folder.iterdir())
        removal.in_full(folder)
        assert not folder.exists()


def test_a_link_in_the_place_of_a_directory_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (tmp_path / "bent").symlink_to(elsewhere)
    assert not removal.of_flat(tmp_path / "bent")
    assert (elsewhere / "file").exists()
