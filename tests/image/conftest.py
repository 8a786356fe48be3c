"""The rehearsal of the image: all of `make ami` that can be tried without AWS.

Where a tool or a right is missing, every test is skipped, counted, with what is missing and how to
get it; where REHEARSAL_REQUIRED is set, as `make rehearse` and CI do, that is a failure.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

import debian
import sharing
from emulator import free_port
from image import wheelhouse
from local import roots
from rehearsal.ami import OLDER, RELEASE, Ami, Machines, make
from rehearsal.wheels import Wheels

DISK = """#!/bin/sh
{ id -un; uname -v | grep -o Debian; cat /run/cloud-init/cloud-id; } > "$1.seen"
echo "$1.seen"
"""


def _need(lacks: str) -> None:
    if not lacks:
        return
    sentence = debian.sentence(lacks)
    if debian.asked(debian.REQUIRED):
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def packer_here() -> None:
    """Packer, which validates also where it may not build."""
    _need(debian.missing_tools(debian.PACKER))


@pytest.fixture(scope="session")
def machines() -> None:
    """The tools and rights to make and boot machines."""
    _need(debian.missing(debian.REHEARSAL))


@pytest.fixture(scope="session")
def wheelhouses(tmp_path_factory: pytest.TempPathFactory, machines: None) -> Wheels:
    """The worker's wheelhouse for a Debian release, built once."""
    folder = tmp_path_factory.mktemp("wheels")

    @functools.cache
    def built(release: str) -> Path:
        wheelhouse.build(release, "amd64", folder / release)
        return folder / release

    return built


@pytest.fixture(scope="session")
def cloud(machines: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A local cloud that builds images, and whose instances boot them."""
    folder = tmp_path_factory.mktemp("cloud")
    releases = [RELEASE, OLDER] if debian.asked(debian.ALSO_OLDER) else [RELEASE]
    for release in releases:
        roots.base(release)
    running = Machines(folder, body="nspawn", releases=releases, ssh_port=free_port())
    sharing.at_end.append(running.stop)
    try:
        yield running.ready()
    finally:
        running.stop()
    assert debian.left_in(folder) == []


@pytest.fixture(scope="session")
def ami(cloud: Machines) -> Ami:
    """The image, made once by `make ami`."""
    made = make(cloud)
    assert made.made is not None, made.said
    return made


@pytest.fixture(scope="session")
def emulated(ami: Ami, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A local cloud of emulated machines, with one that boots the newest image that was built here
    for the job `disk`, of one file. It takes minutes of waiting, and so is begun before it is
    needed.
    """
    folder = tmp_path_factory.mktemp("emulated")
    running = Machines(folder, body="qemu")
    sharing.at_end.append(running.stop)
    try:
        running.ready()
        running.create("disk", {"run.sh": DISK}, maxInstances=1, numThreads=1, idleTimeout=3)
        running.put("disk", {"a.txt": b"x"})
        yield running
    finally:
        running.stop()
    assert debian.left_in(folder) == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the rehearsal measured."""
    told = [
        f"{name}: {value}"
        for report in terminalreporter.getreports("passed")
        if report.nodeid.startswith("tests/image/")
        for name, value in report.user_properties
    ]
    if told:
        terminalreporter.section("the image's rehearsal")
        for line in told:
            terminalreporter.write_line(line)
