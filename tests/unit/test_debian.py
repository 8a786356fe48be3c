"""What the image's rehearsal needs, and what CI installs for it."""

from __future__ import annotations

from pathlib import Path

import pytest

import debian

REPOSITORY = Path(__file__).parents[2]
CI = REPOSITORY / ".ci" / "run"


def test_ci_installs_every_tool_of_the_rehearsal_and_takes_its_lack_for_a_failure() -> None:
    text = CI.read_text()
    _, _, after = text.partition("<<'TOOLS'\n")
    listed = dict(line.split() for line in after.partition("\nTOOLS\n")[0].splitlines())
    assert listed == debian.REHEARSAL
    assert f"export {debian.REQUIRED}=1" in text


def test_the_docs_name_every_package_that_a_bare_debian_lacks() -> None:
    lines = (REPOSITORY / "docs" / "image.md").read_text().replace("\\\n", " ").splitlines()
    [told] = [line.split() for line in lines if line.startswith("    apt-get install")]
    assert set(told) >= {*debian.REHEARSAL.values(), "git", "make", "python3-venv"}


def test_what_is_missing_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda tool: None if tool == "qemu-img" else tool)
    told = debian.missing_tools(debian.REHEARSAL)
    assert told == "apt-get install --no-install-recommends qemu-utils"
