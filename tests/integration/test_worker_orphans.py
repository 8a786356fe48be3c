"""What a program leaves running when it ends, on real processes: it ends with the attempt."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TRIED: only root has groups to give")

# A process of its own: what it adopts must not be this one's.
STORY = """
import asyncio, os, sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from aws_parallelizer.worker import program
from aws_parallelizer.worker.orphans import Orphans
from aws_parallelizer.worker.transcript import Transcript
from aws_parallelizer.worker.unprivileged import User, shed

folder, group = Path(sys.argv[1]), int(sys.argv[2]) or None
orphans = Orphans()
orphans.adopt()

async def run(script):
    return await program.run(
        ["/bin/sh", "-c", script],
        folder=folder,
        environment={"PATH": os.environ["PATH"], "HOME": f"{folder}/work"},
        transcript=Transcript(lambda line: False, log=None),
        limit=20,
        programs=orphans.programs,
        become=User("root", 0).become(group) if group else nullcontext(),
    )

def is_alive(name):
    pid = (folder / name).read_text().strip()
    return os.path.exists(f"/proc/{pid}")

async def story():
"""


def tell(tmp_path: Path, story: str, *, group: int) -> str:
    body = "".join(f"    {line}\n" for line in story.strip().splitlines())
    # As in the worker, the main thread has the orphans, and another one starts the programs.
    run = "ThreadPoolExecutor(1, initializer=shed).submit(lambda: asyncio.run(story())).result()"
    return subprocess.run(
        [sys.executable, "-c", f"{STORY}{body}\n{run}", str(tmp_path), str(group)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout.strip()


groups = pytest.mark.parametrize("group", [0, pytest.param(61300, marks=as_root)])


@groups
def test_a_daemon_in_a_session_of_its_own_ends_with_its_attempt(tmp_path: Path, group: int) -> None:
    told = tell(
        tmp_path,
        """
await run("(setsid sh -c 'echo $$ > daemon; exec sleep 1000' &) ; until [ -s daemon ]; do :; done")
assert is_alive("daemon")
print(await orphans.end(folder, group), is_alive("daemon"))
""",
        group=group,
    )
    assert told == "True False"


@groups
def test_a_daemon_of_a_program_that_still_runs_is_left_to_it(tmp_path: Path, group: int) -> None:
    told = tell(
        tmp_path,
        """
daemon = "(setsid sh -c 'echo $$ > daemon; exec sleep 1000' &)"
running = asyncio.create_task(run(f"cd /; cd -; {daemon}; until [ -e over ]; do sleep 0.01; done"))
while not (folder / "daemon").exists():
    await asyncio.sleep(0.01)
sure = await orphans.end(Path("/no/such/attempt"), group and group + 1)
print(is_alive("daemon"), sure == bool(group))
(folder / "over").touch()
await running
print(await orphans.end(folder, group), is_alive("daemon"))
""",
        group=group,
    )
    assert told.split("\n") == ["True True", "True False"]


@groups
def test_a_family_of_daemons_ends_down_to_the_last(tmp_path: Path, group: int) -> None:
    told = tell(
        tmp_path,
        """
await run("for i in 1 2 3; do (setsid sh -c 'setsid sleep 1000 & sleep 1000' &); done; sleep 0.1")
print(await orphans.end(folder, group))
left = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
print(repr(left))
""",
        group=group,
    )
    assert told.split("\n") == ["True", "''"]


def test_children_that_ended_by_themselves_leave_no_zombie(tmp_path: Path) -> None:
    told = tell(
        tmp_path,
        """
await run("for i in 1 2 3 4 5; do (setsid true &); done")
print(await orphans.end(folder, group))
print(repr(Path(f"/proc/self/task/{os.getpid()}/children").read_text()))
""",
        group=0,
    )
    assert told.split("\n") == ["True", "''"]


@groups
def test_a_daemon_whose_name_is_no_text_ends_like_any_other(tmp_path: Path, group: int) -> None:
    told = tell(
        tmp_path,
        r"""
import shutil
shutil.copy("/bin/sleep", os.fsencode(folder) + b"/caf\xe9\nGid:\t0")
daemon = "echo $$ > daemon; exec ./caf* 1000"
await run(f"(setsid sh -c '{daemon}' &) ; sleep 0.5")
pid = (folder / "daemon").read_text().strip()
print(b"caf\xe9" in Path(f"/proc/{pid}/comm").read_bytes())
print(await orphans.end(folder, group), is_alive("daemon"))
""",
        group=group,
    )
    assert told.split("\n") == ["True", "True False"]
