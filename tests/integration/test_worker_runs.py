"""The whole worker as a process, against ministack, with a metadata service and real programs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aws_parallelizer.core.outcome import Outcome, State
from fakes.spot_api import SpotApi
from local import disks
from machines import Machine, Site
from waiting import until

COPY = '#!/bin/sh\ncp "$1" "$1.out" && echo "$1.out"\n'
KEYS = [
    "data/a b+c%20é.txt",
    "data/it's; rm -rf $(x).txt",
    "data/日本/語.bin",
    "data/-rf",
    "data/x//y",
    "data/run.sh",
    "data/deep/er/a#b?c*d",
    "data/empty",
]


def script(body: str) -> dict[str, str]:
    return {"run.sh": f"#!/bin/sh\n{body}\n"}


def is_running(site: Site, key: str) -> Callable[[], bool]:
    return lambda: site.row(key).state == State.RUNNING


def test_defect_11_odd_keys_go_through_byte_for_byte(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={"env/run.sh": COPY}, environmentPrefix="env")
    for key in KEYS:
        site.put(key, b"" if key.endswith("empty") else key.encode() * 1000)
    machine = start(site)
    assert machine.wait() == 0, machine.console
    assert machine.is_off
    assert machine.left == []
    for key in KEYS:
        row = site.row(key)
        assert (row.state, row.outcome, row.attempts) == (State.DONE, Outcome.DONE, 1)
        [output] = row.outputs
        body = b"" if key.endswith("empty") else key.encode() * 1000
        assert site.output(output.key) == body
        assert output.size == len(body)
    assert "results/日本/語.bin.out" in site.outputs()
    assert site.messages() == 0


def test_a_key_with_a_newline_is_an_input_like_any_other(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=script('cat "$1" > out; echo out'))
    site.put("data/new\nline/a\nb", b"body")
    assert start(site).wait() == 0
    assert site.row("data/new\nline/a\nb").state == State.DONE
    assert site.output("results/new\nline/out") == b"body"


def test_a_failing_program_is_retried_and_then_failed_with_its_stderr(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=script("echo the reason >&2; exit 7"), maxAttempts=2)
    site.put("data/poison")
    assert start(site).wait() == 0
    row = site.row("data/poison")
    assert (row.state, row.outcome, row.exit_code, row.attempts) == (
        State.FAILED,
        Outcome.PROGRAM_ERROR,
        7,
        2,
    )
    assert row.last_output == "the reason\n"
    assert site.output(row.log_key) == b"the reason\n"
    assert site.messages() == 0


def test_defect_2_a_flood_on_both_pipes_and_a_daemon_that_holds_them_hang_nothing(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    flood = "head -c 10485760 /dev/zero | tr '\\0' '\\n'"
    daemon = "(trap '' TERM; exec sleep 1000) &"
    site = Site(
        endpoint,
        files=script(f"{daemon} {flood} >&2; {flood}; [ $1 = slow ] && sleep 1000; echo end"),
        timeout=12,
        maxAttempts=1,
    )
    site.put("data/fast")
    site.put("data/slow")
    assert start(site).wait(90) == 0
    assert site.row("data/fast").state == State.DONE
    assert site.row("data/fast").last_output.endswith("\nend\n")
    assert site.row("data/slow").outcome == Outcome.TIMEOUT


def test_an_output_of_another_input_is_a_collision_and_stays(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=script('cp "$1" same; echo same'), maxAttempts=1, numThreads=1)
    site.put("data/first", b"first")
    assert start(site).wait() == 0
    site.put("data/second", b"second")
    assert start(site).wait() == 0
    row = site.row("data/second")
    assert (row.state, row.outcome) == (State.FAILED, Outcome.OUTPUT_COLLISION)
    assert "data/first" in row.reason
    assert "data/second" in row.reason
    assert site.output("results/same") == b"first"


def test_when_a_worker_is_killed_another_takes_over(
    endpoint: str, start: Callable[..., Machine], everyones: Path
) -> None:
    hold = everyones / "hold"
    hold.touch()
    body = f'echo $$ > {everyones}/pid; [ -e {hold} ] && exec sleep 1000; cp "$1" out; echo out'
    site = Site(endpoint, files=script(body), idleTimeout=40)
    site.put("data/a", b"body")
    first = start(site)
    until((everyones / "pid").exists, seconds=60)
    first.process.kill()
    os.kill(int((everyones / "pid").read_text()), signal.SIGKILL)
    hold.unlink()
    second = start(site)
    until(lambda: site.row("data/a").state == State.DONE, seconds=60)
    row = site.row("data/a")
    assert (row.instance, row.attempts, row.reclaims) == (second.instance, 1, 1)
    assert site.output("results/out") == b"body"


def test_a_worker_asked_to_end_releases_its_tasks_at_once(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=script("sleep 1000"), visibilityTimeout=600)
    for number in range(3):
        site.put(f"data/{number}")
    machine = start(site)
    until(is_running(site, "data/0"), seconds=60)
    machine.process.send_signal(signal.SIGTERM)
    assert machine.wait(60) == 0
    for number in range(3):
        row = site.row(f"data/{number}")
        assert (row.state, row.attempts) == (State.QUEUED, 0)
    received: list[Any] = []

    def all_visible() -> bool:
        received.extend(
            site.sqs.receive_message(QueueUrl=site.queue_url, MaxNumberOfMessages=10).get(
                "Messages", []
            )
        )
        return len(received) == 3

    until(all_visible, seconds=60)
    assert machine.is_off
    assert machine.left == []


def test_a_spot_notice_lets_short_tasks_finish_and_leaves_the_instance_to_ec2(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(
        endpoint, files=script('[ "$1" = long ] && sleep 1000; sleep 2'), visibilityTimeout=600
    )
    site.put("data/short")
    site.put("data/long")
    machine = start(site)
    until(is_running(site, "data/long"), seconds=60)
    until(is_running(site, "data/short"), seconds=60)
    at = (datetime.now(UTC) + timedelta(seconds=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    notice = f'{{"action": "terminate", "time": "{at}"}}'
    machine.metadata.values["meta-data/spot/instance-action"] = notice.encode()
    assert machine.wait(60) == 0
    assert site.row("data/short").state == State.DONE
    row = site.row("data/long")
    assert (row.state, row.outcome, row.attempts) == (State.QUEUED, Outcome.INTERRUPTED, 0)
    assert not machine.is_off
    assert machine.spot.calls == []


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (b"", "environmentZip is missing"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"no=such\r\nline", "is not a parameter"),
        (b"x" * 16384, "name=value"),
    ],
)
def test_defect_16_bad_user_data_reaches_the_shutdown_decision(
    endpoint: str, start: Callable[..., Machine], told: bytes, said: str
) -> None:
    machine = start(Site(endpoint, files={}), told=told)
    assert machine.wait() == 1
    assert machine.is_off
    assert said in machine.console
    assert len(machine.console.splitlines()) == 1


@pytest.mark.parametrize(
    ("files", "said"),
    [({}, "is no file of the zip"), ({"run.sh/x": ""}, "is no file of the zip")],
)
def test_a_bad_environment_reaches_the_shutdown_decision(
    endpoint: str, start: Callable[..., Machine], files: dict[str, str], said: str
) -> None:
    machine = start(Site(endpoint, files=files))
    assert machine.wait() == 1
    assert machine.is_off
    assert said in machine.console


def test_a_missing_environment_reaches_the_shutdown_decision(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    machine = start(Site(endpoint, files={}, environmentZip="no.zip"))
    assert machine.wait() == 1
    assert machine.is_off
    assert "there is no environment zip" in machine.console


def test_should_shutdown_false_leaves_the_instance(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    machine = start(Site(endpoint, files=script("true"), shouldShutdown="false"))
    assert machine.wait() == 0
    assert not machine.is_off


def test_defect_18_a_persistent_request_is_cancelled_before_the_power_off(
    endpoint: str, start: Callable[..., Machine], tmp_path: Path
) -> None:
    spot = SpotApi("i-1", request="sir-1")
    off = tmp_path / "off"
    power_off = {"PARALLELIZER_POWEROFF": f"sh -c 'date +%s%N > {off}'"}
    machine = start(Site(endpoint, files=script("true")), spot=spot, settings=power_off)
    assert machine.wait() == 0
    assert 0 < spot.cancelled_at < int(off.read_text())


def test_a_worker_that_is_to_stop_keeps_its_persistent_request(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=script("true"), spotType="persistent", shutdownBehavior="stop")
    machine = start(site, spot=SpotApi("i-1", request="sir-1"))
    assert machine.wait() == 0
    assert machine.is_off
    assert machine.spot.calls == []
    beat = site.registry.beat(site.name, machine.instance)
    assert beat
    assert beat.why.startswith("the worker ends and parks the instance: the queue had nothing")


def test_an_environment_is_read_only_and_what_a_worker_left_is_swept(
    endpoint: str, start: Callable[..., Machine], tmp_path: Path
) -> None:
    disks.make(tmp_path / "0" / "scratch")
    left = tmp_path / "0" / "scratch" / "tasks" / "7" / "work"
    left.mkdir(parents=True)
    (left / "file").touch()
    (tmp_path / "0" / "scratch" / "environment").mkdir()
    site = Site(endpoint, files=script("stat -L -c %a run.sh"))
    site.put("data/a")
    machine = start(site)
    assert machine.wait() == 0, machine.console
    assert site.row("data/a").last_output == "555\n"
    assert machine.left == []


def test_a_metadata_service_that_stumbles_does_not_end_the_worker(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=script("true"))
    site.put("data/a")
    machine = start(site)
    machine.metadata.uses = 1
    machine.metadata.silent = 3
    assert machine.wait() == 0
    assert site.row("data/a").state == State.DONE
