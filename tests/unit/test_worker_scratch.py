"""Scratch folders: each attempt finds its own blank, whatever was done to it before."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aws_parallelizer.worker.environment import Environment
from aws_parallelizer.worker.scratch import Folder, Scratch


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
    asyncio.run(scratch.take_back(first))
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


def test_a_folder_that_its_attempt_left_quiet_serves_the_next_one_blank(scratch: Scratch) -> None:
    first = scratch.make("data/a", shown(scratch))
    first.input.write_text("input")
    (first.work / "a.out").write_text("output")
    (first.work / "link").symlink_to("/etc")
    (first.tmp / "rest").write_text("rest")
    asyncio.run(scratch.take_back(first))
    second = scratch.make("data/b", shown(scratch))
    assert second is first
    assert second.input.name == "b"
    assert {path.name for path in second.work.iterdir()} == {"run.sh", "model"}
    assert not list(second.tmp.iterdir())


@pytest.mark.parametrize(
    "deed",
    [
        lambda folder: (folder.work / "deep").mkdir(),
        lambda folder: (folder.work / "model").unlink(),
        lambda folder: (folder.work / "model").rename(folder.work / "other"),
        lambda folder: folder.work.chmod(0o777),
        lambda folder: folder.tmp.rename(folder.root / "elsewhere"),
        lambda folder: folder.root.rename(folder.root.with_name("away")),
        lambda folder: os.mkfifo(folder.tmp / "pipe"),
        lambda folder: os.truncate(folder.input, 64 * 1024 * 1024),
        lambda folder: setattr(folder, "quiet", False),
    ],
    ids=[
        "a directory",
        "a link less",
        "a link renamed",
        "another mode",
        "tmp moved",
        "all moved",
        "a pipe",
        "a large file",
        "a process",
    ],
)
def test_a_folder_that_cannot_be_made_blank_at_once_serves_nobody_again(
    scratch: Scratch, deed: Callable[[Folder], object]
) -> None:
    first = scratch.make("data/a", shown(scratch))
    first.input.touch()
    deed(first)
    asyncio.run(scratch.take_back(first))
    assert not first.root.exists()
    assert scratch.make("data/b", shown(scratch)) is not first


def test_a_link_in_the_place_of_a_folders_directory_is_not_followed(
    scratch: Scratch, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    folder = scratch.make("data/a", shown(scratch))
    folder.tmp.rmdir()
    folder.tmp.symlink_to(elsewhere)
    asyncio.run(scratch.take_back(folder))
    assert not folder.root.exists()
    assert (elsewhere / "file").exists()


def test_blank_folders_go_with_their_worker(scratch: Scratch) -> None:
    folder = scratch.make("data/a", shown(scratch))
    asyncio.run(scratch.take_back(folder))
    assert folder.root.exists()
    scratch.close()
    assert not list(folder.root.parent.iterdir())
