"""A ledger that takes its time keeps no lease from being renewed, nor a spot notice from being
seen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from aws_parallelizer.core.outcome import State
from machines import Machine, Site
from proxy import Answer, Call, Proxy
from waiting import until

SCRIPT = '#!/bin/sh\ncase "$1" in long) exec sleep 15;; esac\necho x > out; echo out\n'
RENEWAL = "ChangeMessageVisibilityBatch"
TASKS = 250
HANGING = 5  # calls of the ledger at a time, more than the worker has threads for them


def test_a_ledger_that_takes_its_time_keeps_no_lease_from_being_renewed(
    endpoint: str, start: Callable[..., Machine], proxy: Proxy
) -> None:
    site = Site(endpoint, files={"run.sh": SCRIPT}, numThreads=4, idleTimeout=5)
    slow, hanging, most = threading.Event(), 0, 0
    lock, over = threading.Lock(), threading.Event()

    def before(call: Call) -> Answer | None:
        nonlocal hanging, most
        if slow.is_set() and call.name.endswith(" task"):
            with lock:
                hanging += 1
                most = max(most, hanging)
            over.wait(40)
        return None

    proxy.before = before
    site.put("data/0/long")
    for number in range(TASKS):
        site.put(f"data/{number}/x")
    machine = start(site, settings={"AWS_ENDPOINT_URL": proxy.url})
    until(lambda: site.row("data/0/long").state == State.RUNNING, seconds=30)
    until(lambda: proxy.seen["PUT out"] >= 20, seconds=30, what="short tasks run")
    slow.set()
    time.sleep(1)
    seen = proxy.seen[RENEWAL]
    try:
        # After a third of the lease; at its end, after 30 s, it is too late.
        until(lambda: proxy.seen[RENEWAL] > seen, seconds=25, what="leases are renewed")
        assert most >= HANGING
    finally:
        over.set()
    assert machine.wait(90) == 0, machine.console
    rows = [site.row("data/0/long"), *(site.row(f"data/{number}/x") for number in range(TASKS))]
    assert {(row.state, row.attempts, row.reclaims) for row in rows} == {(State.DONE, 1, 0)}
