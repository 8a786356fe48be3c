"""The examples work: as the worker would run them, on files of any kind."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from aws_parallelizer.cli import creation, environments

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def run(folder: Path, argument: str) -> list[str]:
    """Run the text statistics in a scratch directory; the lines that it prints."""
    scratch = folder / "scratch"
    shutil.copytree(EXAMPLES / "textstats", scratch, dirs_exist_ok=True)
    ended = subprocess.run(
        ["./run.sh", argument], cwd=scratch, capture_output=True, text=True, check=True, timeout=30
    )
    return ended.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a b+c%20é.txt", b"One two\ntwo\n", (2, 3, 12)),
        ("it's; rm -rf $(x).txt", b"", (0, 0, 0)),
        ("語.bin", b"\xff\xfe\0word\0\n\x80", (2, 1, 10)),
        ("no-end", "é é".encode(), (1, 2, 5)),
        ("new\nline", b"x", (1, 1, 1)),
    ],
)
def test_text_statistics_name_one_output_for_any_file(
    tmp_path: Path, name: str, content: bytes, expected: tuple[int, int, int]
) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / name).write_bytes(content)
    [output] = run(tmp_path, name)
    told = json.loads((tmp_path / "scratch" / output).read_text())
    assert (told["lines"], told["words"], told["bytes"]) == expected
    assert told["file"] == name


def test_an_input_with_a_name_of_the_programs_is_found_where_its_argument_says(
    tmp_path: Path,
) -> None:
    (tmp_path / "scratch" / "input").mkdir(parents=True)
    (tmp_path / "scratch" / "input" / "stats.py").write_text("other words")
    assert run(tmp_path, "input/stats.py") == ["stats.py.json"]
    told = json.loads((tmp_path / "scratch" / "stats.py.json").read_text())
    assert told["topWords"] == {"other": 1, "words": 1}


@pytest.mark.parametrize("example", ["textstats", "thumbnails"])
def test_an_examples_parameters_fit_its_directory(example: str) -> None:
    folder = EXAMPLES / example
    with environments.packed(folder) as packed:
        lines = creation.text(folder / "parameters.txt")
        wanted = creation.read(lines, settings=[], environment=packed)
    assert wanted.given["analysisProgram"] == "run.sh"
    assert (folder / "run.sh").stat().st_mode & 0o111
    for program in folder.glob("*.py"):
        ast.parse(program.read_text())
