"""Which files become which input objects."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aws_parallelizer.cli import uploads
from aws_parallelizer.core.errors import ParallelizerError

ODD = ["a b+c%20é.txt", "it's; rm -rf $(x).txt", "日本/語.bin", "new\nline", "[red]x"]


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_a_directory_keeps_its_tree_under_the_prefix_and_a_file_its_name(tmp_path: Path) -> None:
    write(tmp_path, "photos/2024/a.jpg", "photos/b.jpg", "notes.txt")
    planned = uploads.plan([tmp_path / "photos", tmp_path / "notes.txt"], prefix="job/")
    assert {item.key for item in planned} == {"job/2024/a.jpg", "job/b.jpg", "job/notes.txt"}
    assert {item.size for item in planned if item.key == "job/notes.txt"} == {9}


def test_names_that_s3_takes_become_keys_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, *ODD)
    assert {item.key for item in uploads.plan([tmp_path], prefix="")} == set(ODD)


def test_an_empty_file_is_uploaded_and_an_empty_directory_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    assert [item.key for item in uploads.plan([tmp_path], prefix="j/")] == ["j/empty"]


def test_names_that_are_not_utf8_are_all_refused_by_name(tmp_path: Path) -> None:
    for name in (b"one\xff", b"two\xfe"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    with pytest.raises(ParallelizerError, match="Nothing was uploaded") as caught:
        uploads.plan([tmp_path], prefix="")
    assert r"one\xff" in str(caught.value)
    assert r"two\xfe" in str(caught.value)
    str(caught.value).encode()


def test_two_files_that_would_be_one_object_are_refused_by_both_names(tmp_path: Path) -> None:
    write(tmp_path, "a/x", "b/x")
    with pytest.raises(ParallelizerError, match=r"a/x.* would both be j/x"):
        uploads.plan([tmp_path / "a", tmp_path / "b"], prefix="j/")


def test_the_same_file_given_twice_is_uploaded_once(tmp_path: Path) -> None:
    write(tmp_path, "x")
    assert len(uploads.plan([tmp_path / "x", tmp_path], prefix="")) == 1


def test_a_key_over_1024_bytes_and_a_path_that_is_not_there_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a/" + "é" * 100)
    with pytest.raises(ParallelizerError) as caught:
        uploads.plan([tmp_path / "a", tmp_path / "none"], prefix="p" * 900)
    assert "S3 takes 1024" in str(caught.value)
    assert "none is no file or directory" in str(caught.value)


def test_a_link_to_a_file_is_uploaded_as_the_file_and_a_broken_one_is_refused(
    tmp_path: Path,
) -> None:
    write(tmp_path, "a/x")
    (tmp_path / "a" / "y").symlink_to("x")
    assert {item.key for item in uploads.plan([tmp_path / "a"], prefix="")} == {"x", "y"}
    (tmp_path / "a" / "z").symlink_to("nowhere")
    with pytest.raises(ParallelizerError, match="a/z: No such file"):
        uploads.plan([tmp_path / "a"], prefix="")


def test_a_pipe_has_no_content_and_is_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert uploads.plan([tmp_path], prefix="") == []
