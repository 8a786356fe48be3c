"""What the image's rehearsal needs, and what CI installs for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal import needs

CI = Path(__file__).parents[2] / ".ci" / "run"


def test_ci_installs_every_tool_of_the_rehearsal_and_takes_its_lack_for_a_failure() -> None:
    text = CI.read_text()
    _, _, after = text.partition("<<'TOOLS'\n")
    listed = dict(line.split() for line in after.partition("\nTOOLS\n")[0].splitlines())
    assert listed == needs.MACHINES
    assert f"export {needs.REQUIRED}=1" in text


def test_what_is_missing_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda tool, path: None if tool == "qemu-img" else tool)
    told = needs.missing_tools(needs.MACHINES)
    assert told == "apt-get install --no-install-recommends qemu-utils"
