"""Programs that misbehave, under a real worker: floods, daemons, paths outside, full disks."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aws_parallelizer.core.outcome import Outcome, State
from machines import Machine, Site
from waiting import until

FLOOD_MIB = 100
GROWTH_MIB = 48  # of which most is what one attempt's lines and log may take


def script(body: str) -> dict[str, str]:
    return {"run.sh": f"#!/bin/sh\n{body}\n"}


def peak_mib(machine: Machine) -> float:
    status = Path(f"/proc/{machine.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


@pytest.mark.parametrize(
    "stream",
    ["yes 'line after line'", "yes 'no line ends here: ' | tr -d '\\n'"],
    ids=["lines", "one line"],
)
def test_100_mib_on_standard_error_and_then_on_output_hang_nothing_in_flat_memory(
    endpoint: str, start: Callable[..., Machine], everyones: Path, stream: str
) -> None:
    flood = f"{stream} | head -c {FLOOD_MIB * 1024 * 1024}"
    wait = f"touch {everyones}/began; until [ -e {everyones}/go ]; do sleep 0.05; done"
    site = Site(endpoint, files=script(f"{wait}; {flood} >&2; {flood}; echo; echo end"))
    site.put("data/a")
    machine = start(site)
    until((everyones / "began").exists, seconds=30, what="the program runs")
    before = peak_mib(machine)
    (everyones / "go").touch()
    peaks = [before]

    def done() -> bool:
        if machine.process.poll() is None:
            peaks.append(peak_mib(machine))
        return site.row("data/a").state == State.DONE

    until(done, seconds=120, what="the flood is over")
    assert site.row("data/a").last_output.endswith("\nend\n")
    assert max(peaks) - before < GROWTH_MIB
    assert machine.wait() == 0


def test_a_daemon_that_holds_the_pipes_and_ignores_sigterm_ends_with_its_group(
    endpoint: str, start: Callable[..., Machine], everyones: Path
) -> None:
    daemon = f"(trap '' TERM; echo $(exec sh -c 'echo $PPID') > {everyones}/pid; sleep 1000) &"
    body = f"trap '' TERM; {daemon} wait; sleep 1000"
    site = Site(endpoint, files=script(body), timeout=2, maxAttempts=1)
    site.put("data/a")
    assert start(site).wait(60) == 0
    assert site.row("data/a").outcome == Outcome.TIMEOUT
    pid = int((everyones / "pid").read_text())
    until(lambda: not Path(f"/proc/{pid}").exists(), seconds=60, what="the daemon is gone")


def test_what_lies_outside_the_scratch_directory_is_never_an_output(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    bodies = {
        "absolute": "echo /etc/passwd",
        "dots": "echo ../../../../../../../../etc/passwd",
        "link": "ln -s /etc/passwd l; echo l",
        "linked-directory": "ln -s /etc l; echo l/passwd",
        "loop": "mkdir -p d/e; ln -s ../../d d/e/up; echo d",
        "inside": "mkdir d; ln -s /etc/passwd d/l; echo d",
    }
    cases = "\n".join(f"{name}) {body} ;;" for name, body in bodies.items())
    site = Site(endpoint, files=script(f'case "$1" in\n{cases}\nesac'), maxAttempts=1)
    for name in bodies:
        site.put(f"data/{name}")
    assert start(site).wait() == 0
    for name in bodies:
        row = site.row(f"data/{name}")
        assert (name, row.state, row.outcome) == (name, State.FAILED, Outcome.BAD_OUTPUT)
    assert [key for key in site.outputs() if not key.startswith("results/.logs/")] == []


def test_a_program_that_is_killed_for_memory_is_told_from_one_that_fails(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    # As a shell reports that the kernel killed its command.
    body = '[ "$PARALLELIZER_ATTEMPT" = 1 ] && exit 137; echo "$1" > out; echo out'
    site = Site(endpoint, files=script(body))
    site.put("data/a")
    assert start(site).wait() == 0
    row = site.row("data/a")
    assert (row.state, row.attempts, row.memory_kills) == (State.DONE, 2, 1)


@pytest.fixture
def small_disk(everyones: Path) -> Iterator[Path]:
    """A machine's folder, whose scratch disk has 16 MiB."""
    disk = everyones / "machine" / "scratch"
    disk.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=711", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("NOT TRIED: only root may mount a small disk")
    yield disk.parent
    subprocess.run(["umount", str(disk)], check=True)


def test_a_program_that_fills_the_disk_is_told_and_the_others_go_on(
    endpoint: str, small_disk: Path, everyones: Path
) -> None:
    fill = 'head -c 32M /dev/zero > "$TMPDIR/big" || exit 1'
    other = f"until [ -e {everyones}/go ]; do sleep 0.05; done; head -c 8M /dev/zero > o; echo o"
    site = Site(
        endpoint,
        files=script(f'if [ "$1" = full ]; then {fill}; else {other}; fi'),
        maxAttempts=2,
        idleTimeout=5,
    )
    site.put("data/full")
    site.put("data/other")
    machine = Machine(site, small_disk)
    try:
        until(lambda: site.row("data/full").state == State.FAILED, seconds=60)
        (everyones / "go").touch()
        until(lambda: site.row("data/other").state == State.DONE, seconds=60)
        row = site.row("data/full")
        assert (row.outcome, row.attempts) == (Outcome.DISK_FULL, 2)
        assert "disk is full" in row.reason
        assert len(site.output("results/o")) == 8 * 1024 * 1024  # the space is back
        assert machine.wait() == 0, machine.console
        assert machine.left == []
    finally:
        machine.close()


def test_on_a_spot_notice_8_slots_finish_what_is_short_and_release_the_rest_before_the_deadline(
    endpoint: str, start: Callable[..., Machine], everyones: Path
) -> None:
    body = f'case "$1" in long*) sleep 1000;; esac; until [ -e {everyones}/go ]; do sleep 0.1; done'
    site = Site(endpoint, files=script(body), numThreads=8, visibilityTimeout=3600)
    names = [*(f"short-{number}" for number in range(5)), "long-0", "long-1", "long-2"]
    for name in names:
        site.put(f"data/{name}")
    machine = start(site)
    states = lambda: {name: site.row(f"data/{name}").state for name in names}  # noqa: E731
    until(lambda: set(states().values()) == {State.RUNNING}, seconds=30, what="all 8 run")
    at = datetime.now(UTC) + timedelta(seconds=30)
    notice = json.dumps({"action": "terminate", "time": at.strftime("%Y-%m-%dT%H:%M:%SZ")})
    machine.metadata.values["meta-data/spot/instance-action"] = notice.encode()
    until(lambda: "no new task is taken" in machine.console, seconds=60)
    site.put("data/late")
    (everyones / "go").touch()
    assert machine.wait(60) == 0, machine.console
    assert datetime.now(UTC) < at
    for name, state in states().items():
        short = name.startswith("short")
        assert (name, state) == (name, State.DONE if short else State.QUEUED)
        row = site.row(f"data/{name}")
        assert (row.attempts, row.reclaims) == ((1, 0) if short else (0, 1))
    assert site.row("data/late").version == 1  # nobody leased it
    assert site.visible() == 4
    assert not machine.is_off
