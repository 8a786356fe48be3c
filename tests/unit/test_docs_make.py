"""`make` tells what there is, and says in one line what it lacks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", "-C", str(REPOSITORY), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_make_alone_lists_every_target_but_the_inner_one() -> None:
    told = make()
    assert told.returncode == 0
    shown = re.findall(r"^  make ([a-z-]+) ", told.stdout, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert set(shown) == set(phony[1].split()) - {"venv"}


def test_a_python_that_is_too_old_is_named_in_one_line(tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    told = make("venv", f"PYTHON={old}", f"VENV={tmp_path}/venv")
    assert told.returncode != 0
    assert f"Python 3.11 or newer is needed, and '{old}' is not" in told.stderr


def test_a_python_without_venv_names_the_package(tmp_path: Path) -> None:
    bare = tmp_path / "bare-python"
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n')
    bare.chmod(0o755)
    told = make("venv", f"PYTHON={bare}", f"VENV={tmp_path}/venv")
    assert told.returncode != 0
    assert "apt-get install python3-venv" in told.stderr


@pytest.mark.parametrize(
    ("target", "variable", "option"),
    [
        ("ami-prune", "YES", "--yes"),
        ("destroy", "FORCE", "--force"),
        ("destroy", "BUCKETS", "--buckets"),
    ],
)
def test_what_removes_is_asked_for_with_a_1_and_nothing_else(
    target: str, variable: str, option: str, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / ".complete").touch()
    for value in ("", "0", "no", "false"):
        assert option not in make("-n", target, f"VENV={venv}", f"{variable}={value}").stdout
    assert option in make("-n", target, f"VENV={venv}", f"{variable}=1").stdout


def test_ci_is_a_script_that_bash_can_read() -> None:
    script = REPOSITORY / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)
