"""`make` tells what there is, and says in one line what it lacks."""

from __future__ import annotations

import os
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


def test_make_alone_lists_every_target_but_the_inner_ones() -> None:
    told = make()
    assert told.returncode == 0
    shown = re.findall(r"^  make ([a-z-]+) ", told.stdout, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert set(shown) == set(phony[1].split()) - {"venv", "tools"}


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


def shown(name: str, **environment: str) -> str:
    """A variable of the environment that the Makefile gives to what it runs."""
    asked = [
        "make",
        "-C",
        str(REPOSITORY),
        "-s",
        "--no-print-directory",
        f"--eval=show: ; @echo $${name}",
        "show",
    ]
    before = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    told = subprocess.run(
        asked, env={**before, **environment}, capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


@pytest.mark.parametrize("name", ["LANG", "LC_ALL", "LC_CTYPE"])
def test_a_locale_that_is_not_installed_is_no_locale_for_ansible(name: str) -> None:
    assert shown("LC_ALL", **{name: "xx_YY.UTF-8"}) == "C.UTF-8"
    assert shown("LC_ALL", **{name: "C.UTF-8"}) == ("C.UTF-8" if name == "LC_ALL" else "")


def test_a_shell_that_su_started_finds_what_machines_are_made_with() -> None:
    assert shown("PATH", PATH="/usr/bin:/bin").split(":") == [
        "/usr/bin", "/bin", "/usr/sbin", "/sbin",
    ]  # fmt: skip


def test_the_rehearsal_says_what_it_lacks_before_it_makes_a_venv(tmp_path: Path) -> None:
    lacks = tmp_path / "python"
    lacks.write_text("#!/bin/sh\necho 'make: it needs packer' >&2\nexit 1\n")
    lacks.chmod(0o755)
    told = make("rehearse", f"PYTHON={lacks}", f"VENV={tmp_path}/venv")
    assert told.returncode != 0
    assert told.stderr.splitlines()[0] == "make: it needs packer"
    assert not (tmp_path / "venv").exists()
