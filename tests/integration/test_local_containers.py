"""Containers by themselves: how they end, and that nothing of them stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import debian
from local import containers, roots
from local.body import Ending
from local.containers import Container
from waiting import until

pytestmark = pytest.mark.skipif(bool(debian.missing()), reason=debian.missing())


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Callable[[str], Container]]:
    """Boots the base root in a folder of that name."""
    booted: list[Container] = []

    def make(name: str) -> Container:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        container = Container(
            [roots.base("13")],
            folder,
            name="probe",
            console=folder / "console",
            arguments=["systemd.mask=ssh.service", "systemd.mask=systemd-resolved.service"],
        )
        booted.append(container)
        until(lambda: containers.init_of(container.pid), seconds=30, what="its init")
        return container

    yield make
    for container in booted:
        container.kill()
    assert debian.left_in(tmp_path) == []


def test_a_kill_is_told_from_a_power_off(boot: Callable[[str], Container], tmp_path: Path) -> None:
    killed, off = boot("killed"), boot("off")
    killed.kill()
    assert killed.ending() is Ending.LOST
    up = "login:"
    until(lambda: up in (tmp_path / "off/console").read_text(), seconds=60, what="it is up")
    off.shut_down()
    off.shut_down()  # a second time is not the kill that nspawn would make of it
    until(lambda: off.ending() is not None, seconds=60, what="it powers off")
    assert off.ending() is Ending.POWERED_OFF


def test_what_was_left_in_a_folder_is_ended_and_nothing_elsewhere(
    boot: Callable[[str], Container], tmp_path: Path
) -> None:
    left, other = boot("here/left"), boot("here-not/other")
    containers.sweep(tmp_path / "here")
    until(lambda: left.ending() is not None, seconds=60, what="it has ended")
    assert other.ending() is None
