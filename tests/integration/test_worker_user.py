"""What an analysis program may do and see where the worker is root, in real processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from aws_parallelizer.core.outcome import Outcome, State
from machines import Machine, Site
from waiting import until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="NOT TRIED: only a worker that is root runs programs as another user"
)

HEAD = "#!/bin/sh\n"
NAP = f"77.{os.getpid()}"  # seconds, by which a sleep is known as one of these tests'
LOOK = """
user() { echo "$1=$(id -$2)"; }
user uid u; user gid g; user groups G
echo umask=$(umask)
sed -n 's/^\\(Cap...\\|NoNewPrivs\\):[[:space:]]*/\\1=/p' /proc/self/status
echo fds=$(ls /proc/self/fd | tr '\\n' ' ')
echo input=$(cat "$1")
echo mine > mine && echo own=written
mktemp > made && echo tmp=$(dirname "$(cat made)" | grep -c "^$TMPDIR\\$")
try() { name=$1; shift; "$@" > /dev/null 2>&1 && echo $name=allowed || echo $name=refused; }
try environment touch run.sh
try environment-new touch "$(dirname "$(readlink run.sh)")/new"
try tasks ls ../..
try worker cat /proc/$PPID/environ
try root-only cat SECRET
echo variables=$(env | grep -c '^AWS_')
echo out > out; echo out
"""


def told(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_a_program_is_nobody_alone_in_its_own_folder(
    endpoint: str, start: Callable[..., Machine], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    site = Site(endpoint, files={"run.sh": HEAD + LOOK.replace("SECRET", str(secret))})
    site.put("data/a", b"body")
    machine = start(site)
    assert machine.wait() == 0, machine.console
    row = site.row("data/a")
    assert row.state == State.DONE, (row.reason, row.last_output)
    found = told(row.last_output)
    group = found.pop("gid")
    assert 61184 <= int(group) <= 65519
    assert found == {
        "uid": "65534",
        "groups": group,
        "umask": "0077",
        "CapPrm": "0" * 16,
        "CapEff": "0" * 16,
        "CapBnd": "0" * 16,
        "CapInh": "0" * 16,
        "CapAmb": "0" * 16,
        "NoNewPrivs": "1",
        "fds": "0 1 2 3",  # 3 is the folder that ls reads
        "input": "body",
        "own": "written",
        "tmp": "1",
        "environment": "refused",
        "environment-new": "refused",
        "tasks": "refused",
        "worker": "refused",
        "root-only": "refused",
        "variables": "0",
    }
    assert site.output("results/out") == b"out\n"
    assert machine.left == []


def test_an_attempt_can_neither_read_another_nor_look_into_its_process(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(
        endpoint,
        files={
            "run.sh": HEAD
            + """
try() { name=$1; shift; "$@" > /dev/null 2>&1 && echo $name=allowed || echo $name=refused; }
if [ "$1" = victim ]; then chmod 777 . ; echo secret > file; chmod 666 file; exec sleep NAP; fi
while :; do
  for pid in $(pgrep -u nobody -x sleep); do
    [ "$(ps -o args= -p $pid)" = "sleep NAP" ] && break 2
  done
  sleep 0.1
done
try cwd readlink /proc/$pid/cwd
try file cat /proc/$pid/cwd/file
try environ cat /proc/$pid/environ
try by-name cat ../../1/work/file ../../2/work/file
for n in 1 2; do try folder$n ls ../../$n; done
""".replace("NAP", NAP)
        },
        timeout=20,
        maxAttempts=1,
    )
    site.put("data/victim")
    machine = start(site)
    until(lambda: site.row("data/victim").state == State.RUNNING, seconds=60)
    site.put("data/thief")
    until(lambda: site.row("data/thief").state == State.DONE, seconds=60)
    assert site.row("data/victim").state == State.RUNNING
    found = told(site.row("data/thief").last_output)
    assert set(found.values()) == {"refused"}, found
    machine.process.send_signal(signal.SIGTERM)
    assert machine.wait() == 0


def test_a_program_cannot_signal_the_workers_process_even_while_that_starts_others(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(
        endpoint,
        files={
            "run.sh": HEAD
            + """
[ "$1" = hunter ] || exit 0
kill -0 $$ && echo self=reached
end=$(($(date +%s) + 4)); n=0
while [ $(date +%s) -lt $end ]; do
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    kill -0 $PPID 2> /dev/null && n=$((n + 1))
  done
done
echo worker=$n
"""
        },
        timeout=20,
        numThreads=3,
    )
    for number in range(300):
        site.put(f"data/{number}")
    site.put("data/hunter")
    machine = start(site)
    assert machine.wait() == 0
    assert told(site.row("data/hunter").last_output) == {"self": "reached", "worker": "0"}
    assert all(site.row(f"data/{number}").state == State.DONE for number in range(300))


def test_an_attempt_finds_nothing_of_those_that_had_its_folder_before(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    look = "echo cwd=$(pwd); echo files=$(ls -A | wc -l); echo tmp=$(ls -A $TMPDIR | wc -l)"
    read = "cat ../log > /dev/null 2>&1 && echo log=read; setsid sleep 888 & touch a $TMPDIR/b"
    files = {"run.sh": f"{HEAD}{look}\n{read}\n"}
    site = Site(endpoint, files=files, keepLogs="always", numThreads=1)
    keys = [f"data/{number}" for number in range(30)]
    for key in keys:
        site.put(key)
    machine = start(site)
    assert machine.wait() == 0
    found = [told(site.row(key).last_output) for key in keys]
    folders = {each.pop("cwd") for each in found}
    assert len(folders) < len(keys)
    assert found == [{"files": "2", "tmp": "0"}] * len(keys)
    assert machine.left == []


def test_a_time_limit_ends_the_other_users_processes(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    script = f"(trap '' TERM; exec sleep {NAP}) & sleep {NAP}; true"
    site = Site(endpoint, files={"run.sh": f"{HEAD}{script}\n"}, timeout=1, maxAttempts=1)
    site.put("data/a")
    machine = start(site)
    assert machine.wait() == 0
    assert site.row("data/a").outcome == Outcome.TIMEOUT
    assert machine.left == []
    sleeping = [
        entry
        for entry in Path("/proc").glob("[0-9]*/cmdline")
        if entry.exists() and entry.read_bytes() == f"sleep\0{NAP}\0".encode()
    ]
    assert sleeping == []


def test_a_program_that_cannot_be_started_says_why(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={"run.sh": "#!/no/such/interpreter\n"}, maxAttempts=1)
    site.put("data/a")
    assert start(site).wait() == 0
    row = site.row("data/a")
    assert (row.outcome, row.exit_code) == (Outcome.PROGRAM_ERROR, None)
    assert row.reason == "the program cannot be started: No such file or directory"


def test_a_script_without_a_first_line_runs_as_in_a_shell(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={"run.sh": "echo as $(id -u)\n"})
    site.put("data/a")
    assert start(site).wait() == 0
    assert site.row("data/a").last_output == "as 65534\n"


@pytest.mark.parametrize("user", ["no-such-user", "root"])
def test_a_user_that_cannot_be_reaches_the_shutdown_decision(
    endpoint: str, start: Callable[..., Machine], user: str
) -> None:
    machine = start(Site(endpoint, files={}), settings={"PARALLELIZER_USER": user})
    assert machine.wait() == 1
    assert machine.is_off
    assert f"PARALLELIZER_USER is '{user}'" in machine.console
