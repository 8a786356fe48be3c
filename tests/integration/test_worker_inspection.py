"""SIGUSR1: a worker says what it does, and goes on with it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

from aws_parallelizer.core.outcome import State
from machines import Machine, Site
from waiting import until

SCRIPT = "#!/bin/sh\nsleep 3\n"


def test_a_worker_says_what_each_of_its_tasks_does_and_goes_on(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={"run.sh": SCRIPT}, visibilityTimeout=600)
    for key in ("data/a", "data/b"):
        site.put(key)
    machine = start(site)
    for key in ("data/a", "data/b"):
        until(lambda key=key: site.row(key).state == State.RUNNING, seconds=60)  # type: ignore[misc]

    def told() -> list[dict[str, object]]:
        machine.process.send_signal(signal.SIGUSR1)
        lines = [json.loads(line) for line in machine.console.splitlines()]
        return [line for line in lines if line.get("phase") == "running"]

    lines = until(told, seconds=60)
    assert {line["key"] for line in lines} <= {"data/a", "data/b"}
    first = lines[0]
    assert (first["message"], first["job"], first["attempt"]) == ("task in hand", site.name, 1)
    assert (first["level"], first["instance"]) == ("INFO", machine.instance)
    assert 0 <= float(str(first["phaseSeconds"])) <= float(str(first["seconds"])) < 60
    assert "2 tasks are in hand, of which 2 may run at once" in machine.console
    assert machine.wait(40) == 0, machine.console
    for key in ("data/a", "data/b"):
        assert (site.row(key).state, site.row(key).attempts) == (State.DONE, 1)


def test_the_signal_ends_no_worker_that_only_begins(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    machine = start(Site(endpoint, files={"run.sh": "true"}))
    machine.metadata.silent = 5  # it waits for its metadata
    until(lambda: machine.metadata.silent < 5, seconds=60, what="it asks")
    machine.process.send_signal(signal.SIGUSR1)
    assert machine.wait() == 0, machine.console
    assert "no task is in hand" in machine.console
