"""EC2's advice to leave a spot instance: what runs is finished, and the worker goes by itself."""

from __future__ import annotations

from collections.abc import Callable

from aws_parallelizer.core.outcome import State
from fakes.spot_api import SpotApi
from machines import Machine, Site
from waiting import until

ADVICE = b'{"noticeTime": "2026-11-22T10:00:00Z"}'
PATH = "meta-data/events/recommendations/rebalance"


def test_a_worker_advised_to_leave_finishes_what_runs_and_ends_its_instance(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={"run.sh": "#!/bin/sh\nsleep 3\n"}, numThreads=1, idleTimeout=60)
    site.put("data/a")
    machine = start(
        site,
        spot=SpotApi("i-1", request="sir-1"),
        settings={"PARALLELIZER_SETTLE_SECONDS": "0.1"},
    )
    until(lambda: site.row("data/a").state == State.RUNNING, seconds=60)
    site.put("data/b")
    machine.metadata.values[PATH] = ADVICE
    assert machine.wait(40) == 0, machine.console
    assert (site.row("data/a").state, site.row("data/a").attempts) == (State.DONE, 1)
    assert (site.row("data/b").state, site.row("data/b").attempts) == (State.QUEUED, 0)
    assert "advises to leave" in machine.console
    assert machine.is_off


def test_a_young_worker_stays_whatever_ec2_advises(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={"run.sh": "#!/bin/sh\nsleep 2\n"}, numThreads=1)
    site.put("data/a")
    site.put("data/b")
    machine = start(site)
    machine.metadata.values[PATH] = ADVICE
    assert machine.wait(40) == 0, machine.console
    assert {site.row(key).state for key in ("data/a", "data/b")} == {State.DONE}
