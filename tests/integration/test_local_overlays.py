"""Writable roots over a tree that stays as it is."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from local import overlays

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def tree(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_what_is_written_stays_in_the_folder_and_the_tree_stays_as_it_was(tmp_path: Path) -> None:
    lower = tree(tmp_path / "lower", one="1", two="2")
    with overlays.mounted([lower], tmp_path / "own") as root:
        (root / "one").write_text("changed")
        (root / "two").unlink()
    assert (lower / "one").read_text() == "1"
    assert list(root.iterdir()) == []
    with overlays.mounted([lower], tmp_path / "own") as root:
        assert [(one.name, one.read_text()) for one in root.iterdir()] == [("one", "changed")]


def test_the_upper_part_of_one_root_is_a_layer_of_the_next(tmp_path: Path) -> None:
    lower = tree(tmp_path / "lower", one="1", two="2")
    with overlays.mounted([lower], tmp_path / "first") as root:
        (root / "one").unlink()
        (root / "three").write_text("3")
    with overlays.mounted([tmp_path / "first/upper", lower], tmp_path / "second") as root:
        assert sorted(one.name for one in root.iterdir()) == ["three", "two"]


def test_it_is_unmounted_when_its_user_fails_and_something_still_works_in_it(
    tmp_path: Path,
) -> None:
    lower = tree(tmp_path / "lower", one="1")
    with contextlib.suppress(ZeroDivisionError), overlays.mounted([lower], tmp_path / "o") as root:
        open_file = (root / "one").open()
        raise ZeroDivisionError
    assert not root.is_mount()
    open_file.close()


def test_a_path_that_overlayfs_would_misread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no path with a colon"):
        overlays.prepare([tmp_path / "a:b"], tmp_path)
