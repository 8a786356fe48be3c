"""Every fault that the documentation speaks of has its tests, under the names that it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SECTIONS = (
    "New objects",
    "Queues",
    "Launching",
    "The worker",
    "Interruption",
    "Ending",
    "API and deployment",
    "Ledger",
    "Money",
    "Making the image",
)


def rows() -> list[tuple[str, list[str]]]:
    """(what can go wrong, names of its tests) of every row of every table."""
    text = (REPOSITORY / "docs" / "faults.md").read_text()
    cells = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    told = [row for row in cells if row[0].strip() not in ("what can go wrong", "---")]
    return [(row[0].strip(), re.findall(r"`(\w+)`", row[-1])) for row in told]


def written() -> set[str]:
    """The names of all tests."""
    found: set[str] = set()
    for path in (REPOSITORY / "tests").rglob("test_*.py"):
        found.update(re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE))
    return found


def test_every_row_names_tests_that_there_are() -> None:
    known = written()
    missing = {name for _, names in rows() for name in names if name not in known}
    assert not missing


def test_no_row_is_without_a_test() -> None:
    assert [fault for fault, names in rows() if not names] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_has_rows(section: str) -> None:
    text = (REPOSITORY / "docs" / "faults.md").read_text()
    found = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found
    assert len(re.findall(r"^\| (?!what|---)", found[1], re.MULTILINE)) >= 1
