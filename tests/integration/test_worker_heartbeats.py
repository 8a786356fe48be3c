"""What a whole worker says of itself in the ledger's table, from its start to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aws_parallelizer.core.fleet import Beat, Phase
from aws_parallelizer.core.outcome import State
from machines import Machine, Site
from waiting import until

FAST = {"PARALLELIZER_BEAT_SECONDS": "0.2"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    """Starts machines that end with the test."""
    machines: list[Machine] = []

    def started(site: Site, *, settings: Mapping[str, str] | None = None, **more: Any) -> Machine:
        machines.append(
            Machine(
                site, tmp_path / str(len(machines)), settings={**FAST, **(settings or {})}, **more
            )
        )
        return machines[-1]

    yield started
    for machine in machines:
        machine.close()


def row(site: Site, machine: Machine) -> Beat | None:
    return site.registry.beat(site.name, machine.instance)


def wait_for(site: Site, machine: Machine, phase: Phase) -> Beat:
    def there() -> Beat | None:
        found = row(site, machine)
        return found if found and found.phase == phase else None

    found = until(there, seconds=60, what=f"the row of {machine.instance} says {phase}")
    assert found
    return found


def beats_on(site: Site, machine: Machine, after: Beat) -> Beat:
    """The third beat after that one."""
    found = until(
        lambda: (now := row(site, machine)) and now.version >= after.version + 3 and now,
        seconds=60,
        what="the worker beats on",
    )
    assert found
    assert found.seen > after.seen
    return found


def script(body: str) -> dict[str, str]:
    return {"run.sh": f"#!/bin/sh\n{body}\n"}


def test_a_worker_beats_while_every_slot_is_busy_and_while_it_drains(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=script("sleep 4"), numThreads=4, visibilityTimeout=600)
    for number in range(8):
        site.put(f"data/{number}")
    machine = start(site)
    until(lambda: (now := row(site, machine)) and now.running == 4, seconds=60, what="4 run")
    busy = wait_for(site, machine, Phase.WORKING)
    assert (busy.ready, busy.slots) == (True, 4)
    beats_on(site, machine, busy)
    at = (datetime.now(UTC) + timedelta(seconds=100)).strftime("%Y-%m-%dT%H:%M:%SZ")
    notice = f'{{"action": "terminate", "time": "{at}"}}'
    machine.metadata.values["meta-data/spot/instance-action"] = notice.encode()
    draining = wait_for(site, machine, Phase.DRAINING)
    assert draining.running == 4
    assert "EC2 takes the instance back" in draining.why
    beats_on(site, machine, draining)
    assert machine.wait() == 0
    ended = wait_for(site, machine, Phase.ENDED)
    assert (ended.ready, ended.running) == (True, 0)
    assert "the instance stays: EC2 takes the instance back" in ended.why


def test_a_worker_beats_while_its_environment_is_not_there_yet(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=script("true"))
    nobody_listens = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}
    machine = start(site, settings=nobody_listens)
    starting = wait_for(site, machine, Phase.STARTING)
    assert not beats_on(site, machine, starting).ready
    machine.process.terminate()
    machine.wait()
    assert "a signal asked for it" in wait_for(site, machine, Phase.ENDED).why


def test_a_worker_without_a_usable_environment_says_so_in_its_last_beat(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={}, environmentZip="no.zip")
    machine = start(site)
    assert machine.wait() == 1
    ended = wait_for(site, machine, Phase.ENDED)
    assert not ended.ready
    assert "shuts the instance down: there is no environment zip" in ended.why


def test_a_worker_that_cannot_read_its_parameters_says_so_in_its_last_beat(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={})
    told = f"job={site.name}\r\nledgerTable={site.name}\r\nnumThreads=many\r\n".encode()
    machine = start(site, told=told)
    assert machine.wait() == 1
    ended = wait_for(site, machine, Phase.ENDED)
    assert not ended.ready
    assert "numThreads" in ended.why


def test_a_worker_without_a_ledger_tells_nobody(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=script("true"))
    machine = start(site, told=site.user_data(ledger=False))
    assert machine.wait() == 0
    assert "sign of life" not in machine.console
    assert site.registry.beats(site.name) == []


def change(site: Site, **wished: Any) -> None:
    site.registry.change_job(site.name, lambda job: msgspec.structs.replace(job, **wished))


def test_a_worker_follows_its_jobs_row_from_a_pause_to_the_end_of_the_budget(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=script("sleep 1"), numThreads=1, idleTimeout=60)
    change(site, paused=True)
    site.put("data/a")
    machine = start(site)
    until(lambda: "the job is paused" in machine.console, seconds=60)
    beats_on(site, machine, wait_for(site, machine, Phase.WORKING))
    assert site.row("data/a").state == State.QUEUED
    change(site, paused=False)
    until(lambda: site.row("data/a").state == State.RUNNING, seconds=60)
    site.put("data/b")
    change(site, hold="the budget is spent")
    assert machine.wait() == 0
    assert machine.is_off
    rows = [site.row("data/a"), site.row("data/b")]
    assert [(one.state, one.attempts) for one in rows] == [(State.DONE, 1), (State.QUEUED, 0)]
    assert site.messages() == 1
    assert "the budget is spent" in wait_for(site, machine, Phase.ENDED).why


def test_a_worker_whose_job_is_over_waits_for_no_environment(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files=script("true"))
    machine = start(site, settings={"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"})
    wait_for(site, machine, Phase.STARTING)
    change(site, deleting=True)
    assert machine.wait() == 0
    ended = wait_for(site, machine, Phase.ENDED)
    assert not ended.ready
    assert "the job is being deleted" in ended.why
