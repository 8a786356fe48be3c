"""Which lines of a program's standard output are outputs."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from aws_parallelizer.core.errors import BadOutput
from aws_parallelizer.worker import outputs
from aws_parallelizer.worker.environment import Environment


class Place:
    """A scratch directory that shows an environment, with a few files that a program made."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.shown = Environment(
            folder / "environment", frozenset({"run.sh", "lib"}), "run.sh", "v1"
        )
        for directory in ("work/dir/deep", "work/empty", "environment/lib"):
            (folder / directory).mkdir(parents=True)
        for file in ("environment/run.sh", "environment/lib/data", "outside"):
            (folder / file).touch()
        for file in ("a", "b c", "ends\r", "dir/one", "dir/deep/two", "-n"):
            (self.work / file).touch()
        for name in self.shown.names:
            (self.work / name).symlink_to(self.shown.folder / name)

    def find(self, *lines: str | bytes) -> list[str]:
        encoded = [line if isinstance(line, bytes) else line.encode() for line in lines]
        return [file.name for file in outputs.find(encoded, work=self.work, shown=self.shown)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("a", ["a"]),
        ("./a", ["a"]),
        ("dir/../a", ["a"]),
        ("b c", ["b c"]),
        ("-n", ["-n"]),
        ("a\r", ["a"]),
        ("ends\r", ["ends\r"]),
        ("dir", ["dir/deep/two", "dir/one"]),
        ("dir/", ["dir/deep/two", "dir/one"]),
        ("dir/deep/../one", ["dir/one"]),
        ("empty", []),
        ("", []),
        (".", []),
        ("./", []),
        ("dir/..", []),
        ("nothing of that name", []),
        ("a ", []),
        ("x" * 5000, []),
        ("a\0b", []),
        ("run.sh", []),
        ("./run.sh", []),
        ("lib", []),
        ("lib/data", []),
    ],
)
def test_a_line_that_names_a_file_is_an_output_and_all_else_a_word(
    place: Place, line: str, names: list[str]
) -> None:
    assert place.find(line) == names


def test_an_absolute_path_inside_is_an_output(place: Place) -> None:
    assert place.find(str(place.work / "dir" / "one")) == ["dir/one"]
    assert place.find(str(place.work)) == []


def test_defect_3_two_names_on_two_lines_are_two_outputs_not_one_that_is_missing(
    place: Place,
) -> None:
    assert place.find("a", "b c") == ["a", "b c"]


def test_the_same_output_twice_is_one(place: Place) -> None:
    assert place.find("dir/one", "dir", "dir/one") == ["dir/one", "dir/deep/two"]


@pytest.mark.parametrize("line", ["/etc/passwd", "/", "..", "../outside", "dir/../../outside"])
def test_a_path_that_leads_outside_is_refused(place: Place, line: str) -> None:
    with pytest.raises(BadOutput, match="outside the scratch directory"):
        place.find(line)


def link(place: Place, name: str, target: str) -> None:
    (place.work / name).symlink_to(target)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/etc/passwd", "leads outside"),
        ("../outside", "leads outside"),
        ("/etc", "leads outside"),
        ("lib/data", "leads outside"),
        ("nothing", "link to nothing"),
        ("link", "link to nothing"),
        (".", "loop of links"),
    ],
)
def test_a_link_that_leads_elsewhere_is_refused(place: Place, target: str, said: str) -> None:
    link(place, "link", target)
    with pytest.raises(BadOutput, match=said):
        place.find("link")


def test_a_link_inside_is_stored_under_its_own_name(place: Place) -> None:
    link(place, "link", "dir/one")
    link(place, "folder", "dir")
    assert place.find("link", "folder/one") == ["link", "dir/one"]


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "../../outside"])
def test_a_directory_with_a_bad_link_is_refused(place: Place, target: str) -> None:
    link(place, "dir/deep/link", target)
    with pytest.raises(BadOutput):
        place.find("dir")


def test_a_word_that_replaced_a_link_to_the_environment_is_an_output(place: Place) -> None:
    (place.work / "run.sh").unlink()
    (place.work / "run.sh").write_text("new")
    assert place.find("run.sh") == ["run.sh"]


def test_what_is_no_regular_file_is_refused(place: Place) -> None:
    os.mkfifo(place.work / "pipe")
    with pytest.raises(BadOutput, match="no regular file"):
        place.find("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place.work / "dir" / "socket"))
        with pytest.raises(BadOutput, match="no regular file"):
            place.find("dir")


def test_a_name_that_is_not_utf_8_is_refused(place: Place) -> None:
    Path(os.fsdecode(os.fsencode(place.work) + b"/\xff")).touch()
    with pytest.raises(BadOutput, match="not UTF-8"):
        place.find(b"\xff")
