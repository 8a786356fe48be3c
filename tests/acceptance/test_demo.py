"""`make demo` on files of the user's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from acceptance.cloud import REPOSITORY
from waiting import until

PROGRAM = """#!/bin/sh
grep -q poison "$1" && { echo "this one is no good" >&2; exit 3; }
cp "$1" "$1.out" && echo "$1.out"
"""
FILES = {"a b+c%20é.txt": b"1\n", "d/it's $(x)": b"2\n", "d/empty": b"", "poison": b"poison\n"}


def prepare(folder: Path) -> list[str]:
    """The command that runs the demo in `folder` on files that it has."""
    for name, content in FILES.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "env").mkdir()
    (folder / "env" / "go.sh").write_text(PROGRAM)
    (folder / "env" / "go.sh").chmod(0o755)
    given = ["--input", "in", "--environment", "env", "--program", "go.sh"]
    return [sys.executable, "-m", "local.demo", *given]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{REPOSITORY}/worker:{REPOSITORY}/control"}


def test_the_demo_accounts_for_every_file_and_leaves_nothing_running(tmp_path: Path) -> None:
    ended = subprocess.run(
        prepare(tmp_path),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    outputs = {
        path.relative_to(tmp_path / "demo-output").as_posix(): path.read_bytes()
        for path in (tmp_path / "demo-output").rglob("*")
        if path.is_file()
    }
    good = {name: content for name, content in FILES.items() if name != "poison"}
    assert outputs == {f"{name}.out": content for name, content in good.items()}
    told = " ".join(ended.stdout.split())
    assert "done 3 failed 1 skipped 0" in told
    assert "made, 0 left" in told
    assert "run, 0 left" in told
    assert "this one is no good" in told
    assert not (tmp_path / ".local" / "env").exists()


def test_ctrl_c_ends_the_demo_and_all_that_it_started(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        demo = subprocess.Popen(
            prepare(tmp_path),
            cwd=tmp_path,
            env=environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    ready = tmp_path / ".local" / "env"
    until(
        lambda: ready.exists() or demo.poll() is not None,
        seconds=120,
        what="the demo's cloud is ready",
    )
    os.killpg(demo.pid, signal.SIGINT)
    assert demo.wait(60) == 130, (tmp_path / "log").read_text()
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert processes_below(tmp_path) == []


def processes_below(folder: Path) -> list[str]:
    """The command lines of processes that name the folder or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            where = (process / "cwd").readlink()
        except OSError:
            continue  # it has ended meanwhile, or is another user's
        if str(folder) in command or where.is_relative_to(folder):
            found.append(command)
    return found
