"""Programs of a worker that is root run as another user: real processes, no AWS."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from aws_parallelizer.aws import objects
from aws_parallelizer.core.errors import BadOutput, NoUser
from aws_parallelizer.worker import unprivileged
from aws_parallelizer.worker.environment import Environment
from aws_parallelizer.worker.scratch import Folder, Scratch
from aws_parallelizer.worker.unprivileged import Groups, User
from local import disks

T = TypeVar("T")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TRIED: only root can run as another")


def shedding(story: Callable[[], T]) -> T:
    """What the story comes to in a thread of its own: what it has shed is gone for good."""

    def told() -> T:
        unprivileged.shed()
        return story()

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(told).result()


def ids() -> str:
    """This thread's user ids, group ids (real, effective, saved, of files) and other groups."""
    status = Path("/proc/thread-self/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return "; ".join(" ".join(lines[name].split()) for name in ("Uid", "Gid", "Groups"))


def nobody() -> User | None:
    return shedding(lambda: unprivileged.of_programs("nobody"))


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Scratch]:
    disks.make(tmp_path / "scratch")
    made = Scratch(tmp_path / "scratch", nobody())
    made.sweep()
    yield made
    disks.wipe(tmp_path / "scratch")


def shown(folder: Path) -> Environment:
    return Environment(folder, frozenset(), "run.sh", "v1")


@as_root
def test_an_unknown_user_is_named_with_what_to_do() -> None:
    with pytest.raises(NoUser, match=r"PARALLELIZER_USER is 'no-such-user'.*make it, or name"):
        unprivileged.of_programs("no-such-user")


@as_root
def test_programs_never_run_as_root() -> None:
    with pytest.raises(NoUser, match="never run as root"):
        unprivileged.of_programs("root")


@as_root
def test_a_user_that_cannot_be_become_is_found_before_any_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert unprivileged._calls
    monkeypatch.setattr(unprivileged, "_calls", unprivileged._calls._replace(setresuid=9999))
    with pytest.raises(NoUser, match=r"cannot run as user nobody: .*Function not implemented"):
        shedding(lambda: unprivileged.of_programs("nobody"))


@as_root
def test_a_kind_of_machine_whose_calls_are_not_known_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unprivileged, "_calls", None)
    with pytest.raises(NoUser, match="cannot run as another user on a machine "):
        shedding(lambda: unprivileged.of_programs("nobody"))


@as_root
def test_a_thread_that_has_not_shed_starts_no_program() -> None:
    with pytest.raises(RuntimeError, match="has not shed"), User("nobody", 65534).become(61200):
        pytest.fail("it became the user")


@as_root
def test_a_thread_is_itself_again_after_it_has_been_a_programs_user() -> None:
    def story() -> list[str]:
        seen = [ids()]
        with User("nobody", 65534).become(61200):
            seen.append(ids())
        with pytest.raises(FileNotFoundError), User("nobody", 65534).become(61200):
            os.posix_spawn("/no/such/program", ["none"], {})
        return [*seen, ids()]

    main = ids()
    before, meanwhile, after = shedding(story)
    assert before == after == "0 0 0 0; 0 0 0 0; "
    assert meanwhile == "65534 65534 0 65534; 61200 61200 61200 61200; "
    assert ids() == main


def test_without_root_programs_run_as_the_worker_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert unprivileged.of_programs("no-such-user") is None


@as_root
def test_a_scratch_directory_that_the_user_cannot_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o700)
    scratch = Scratch(tmp_path / "shut" / "scratch", nobody())
    with pytest.raises(NoUser, match="PARALLELIZER_SCRATCH to a directory that all users can"):
        scratch.sweep()


def test_no_two_attempts_share_a_group_and_one_that_is_over_frees_its_own_last() -> None:
    groups = Groups()
    first = groups.take()
    assert groups.take() != first
    groups.give_back(first)
    others = [groups.take() for _ in range(4000)]
    assert first not in others


@as_root
def test_an_attempts_folder_is_its_users_and_only_its_group_enters(
    scratch: Scratch, tmp_path: Path
) -> None:
    assert scratch.user
    folder = scratch.make("data/a", shown(tmp_path))
    folder.input.touch()
    scratch.hand_over(folder)
    for path in (folder.work, folder.tmp, folder.input):
        assert (path.stat().st_uid, path.stat().st_gid) == (scratch.user.uid, folder.group)
    assert (folder.root.stat().st_uid, folder.root.stat().st_gid) == (0, folder.group)
    assert folder.root.stat().st_mode & 0o777 == 0o710
    assert folder.root.parent.stat().st_mode & 0o777 == 0o711


@as_root
def test_a_folder_that_cannot_be_made_leaves_nothing(scratch: Scratch, tmp_path: Path) -> None:
    bad = Environment(tmp_path, frozenset(["no/such/folder"]), "run.sh", "v1")
    with pytest.raises(FileNotFoundError):
        scratch.make("data/a", bad)
    folder = scratch.make("data/b", shown(tmp_path))
    assert list(folder.root.parent.iterdir()) == [folder.root]


@as_root
def test_whatever_a_program_leaves_behind_is_removed(scratch: Scratch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir(mode=0o700)
    (secret / "kept").touch()

    async def story() -> Folder:
        folder = scratch.make("data/a", shown(tmp_path))
        deep = folder.work / "a" / "b"
        deep.mkdir(parents=True)
        (deep / "file").touch()
        (folder.work / "out").symlink_to(secret)
        for path in (deep, deep.parent, folder.work):
            os.chown(path, 65534, folder.group or 0)
            path.chmod(0)
        await scratch.take_back(folder)
        return folder

    folder = asyncio.run(story())
    assert not folder.root.exists()
    assert (secret / "kept").exists()
    assert secret.stat().st_mode & 0o777 == 0o700


@as_root
def test_a_path_bent_to_a_file_of_roots_is_not_stored(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("root's")
    (tmp_path / "out").symlink_to(tmp_path / "secret")
    with pytest.raises(BadOutput, match="no regular file of the program's"):
        objects.open_owned(tmp_path / "out", 65534)
    os.chown(tmp_path / "secret", 65534, 65534)
    with objects.open_owned(tmp_path / "out", 65534) as file:
        assert objects.read(file).body == b"root's"


def test_a_path_bent_to_a_pipe_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out")
    with pytest.raises(BadOutput):
        objects.open_owned(tmp_path / "out", None)
