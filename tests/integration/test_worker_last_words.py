"""Why an instance ended is the console's last line, with what was done about it, whatever the way
out; and no way out leaves an instance running that should go.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import emulator
from aws_parallelizer.core.fleet import WORKER_LOGS, Phase
from fakes.spot_api import SpotApi
from machines import Machine, Site
from waiting import until

GOES = "the worker ends and shuts the instance down: "
SLEEP = {"run.sh": "#!/bin/sh\nexec sleep 1000\n"}


def last_line(machine: Machine) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(machine.console.splitlines()[-1])
    return line


def check(site: Site, machine: Machine, *, code: int, said: str, done: str = GOES) -> None:
    """It ended so, said so in its last line and in its last beat, and the instance went."""
    assert machine.wait() == code, machine.console
    line = last_line(machine)
    assert line["message"].startswith(done), machine.console
    assert said in line["message"], machine.console
    assert line["level"] == ("ERROR" if code else "INFO")
    assert line["instance"] == machine.instance
    beat = site.registry.beat(site.name, machine.instance)
    assert beat
    assert (beat.phase, beat.why) == (Phase.ENDED, line["message"][:1000])
    assert machine.is_off == (done == GOES)


def test_work_that_is_over(endpoint: str, start: Callable[..., Machine]) -> None:
    site = Site(endpoint, files=SLEEP)
    check(site, start(site), code=0, said="the queue had nothing for 1 s")


def test_an_instance_that_is_to_stay(endpoint: str, start: Callable[..., Machine]) -> None:
    site = Site(endpoint, files=SLEEP, shouldShutdown="false")
    stays = "the worker ends, the instance stays: "
    check(site, start(site), code=0, said="the queue had nothing", done=stays)


def test_a_queue_that_is_gone(endpoint: str, start: Callable[..., Machine]) -> None:
    site = Site(endpoint, files=SLEEP)
    site.sqs.delete_queue(QueueUrl=site.queue_url)
    check(site, start(site), code=1, said="the queue is gone")


def test_bad_user_data(endpoint: str, start: Callable[..., Machine]) -> None:
    site = Site(endpoint, files=SLEEP)
    told = site.user_data() + b"\nvisibilityTimeout=soon\n"
    check(site, start(site, told=told), code=1, said="visibilityTimeout")


def test_bad_user_data_is_also_told_where_no_console_is_needed(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site, logs = Site(endpoint, files=SLEEP), emulator.client("logs", endpoint)
    group = WORKER_LOGS.format(stack=site.name)
    logs.create_log_group(logGroupName=group)
    told = site.user_data() + f"\nstack={site.name}\nvisibilityTimeout=soon\n".encode()
    machine = start(site, told=told)
    check(site, machine, code=1, said="visibilityTimeout")
    events = logs.get_log_events(logGroupName=group, logStreamName=machine.instance)["events"]
    assert [json.loads(event["message"]) for event in events] == [last_line(machine)]


def test_a_missing_environment(endpoint: str, start: Callable[..., Machine]) -> None:
    site = Site(endpoint, files=SLEEP, environmentZip="no.zip")
    told = site.user_data() + b"\nstack=without-a-log-group\n"  # of which nothing more is said
    check(site, start(site, told=told), code=1, said="there is no environment zip")


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TRIED: only root needs another user")
def test_a_user_that_is_missing(endpoint: str, start: Callable[..., Machine]) -> None:
    site = Site(endpoint, files=SLEEP)
    machine = start(site, settings={"PARALLELIZER_USER": "no-such-user"})
    check(site, machine, code=1, said="there is no such user")


def test_a_variable_that_cannot_be_read_even_with_a_persistent_request(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=SLEEP)
    bad = {"PARALLELIZER_BEAT_SECONDS": "soon", "PARALLELIZER_LOG": "xml"}
    machine = start(site, settings=bad, spot=SpotApi("i-1", request="sir-1"))
    check(site, machine, code=1, said="PARALLELIZER_BEAT_SECONDS is 'soon'")
    assert "PARALLELIZER_LOG is 'xml': it has to be json or text" in machine.console
    assert machine.spot.state == "cancelled"


def test_a_crash_that_nobody_foresaw(
    endpoint: str, start: Callable[..., Machine], tmp_path: Path
) -> None:
    site = Site(endpoint, files=SLEEP)
    (tmp_path / "file").touch()
    machine = start(site, settings={"PARALLELIZER_SCRATCH": str(tmp_path / "file" / "scratch")})
    check(site, machine, code=1, said="the worker crashed: NotADirectoryError")
    assert "Traceback" in machine.console.splitlines()[-2]


def test_a_signal(endpoint: str, start: Callable[..., Machine]) -> None:
    site = Site(endpoint, files=SLEEP, idleTimeout=60)
    machine = start(site)
    until(lambda: (b := site.registry.beat(site.name, machine.instance)) and b.ready, seconds=60)
    machine.process.send_signal(signal.SIGTERM)
    check(site, machine, code=0, said="a signal asked for it")


def test_a_spot_notice(endpoint: str, start: Callable[..., Machine]) -> None:
    site = Site(endpoint, files=SLEEP, idleTimeout=60)
    machine = start(site)
    until(lambda: (b := site.registry.beat(site.name, machine.instance)) and b.ready, seconds=60)
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    told = json.dumps({"action": "terminate", "time": soon})
    machine.metadata.values["meta-data/spot/instance-action"] = told.encode()
    stays = "the worker ends, the instance stays: "
    check(site, machine, code=0, said="EC2 takes the instance back (terminate", done=stays)
