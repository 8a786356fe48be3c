"""Workers that are killed at any step of a task, frozen, or in doubt about their lease."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from aws_parallelizer.core.outcome import Outcome, State
from leasing import no_polls, run_out
from machines import Machine, Site
from proxy import Answer, Call, Gone, Proxy
from waiting import until

COPY = {"run.sh": '#!/bin/sh\ncp "$1" "$1.out" && echo "$1.out"\n'}
CLAIM = ("BatchExecuteStatement task", 1)
RECORD = ("BatchExecuteStatement task", 2)
DELETE = ("DeleteMessageBatch", 1)
# All calls of a task's life, (name, which of that name); that one comes last here after which
# a message may lie in the queue unleased, so that it is in nobody's way.
STEPS = (
    ("BatchGetItem task", 1),
    CLAIM,
    ("GET in", 1),
    ("PUT out", 1),
    RECORD,
    DELETE,
    ("ReceiveMessage", 1),
)


class Killer:
    """Kills a worker at the n-th call of a name, before the service hears of it or after."""

    def __init__(self, proxy: Proxy, *, after: bool) -> None:
        self._proxy = proxy
        self._after = after
        self._step = ("", 0)
        self._victim: Machine | None = None
        proxy.before = self._before
        proxy.after = self._answered

    def aim(self, victim: Machine, name: str, count: int) -> None:
        self._victim, self._step = victim, (name, self._proxy.seen[name] + count)

    def _before(self, call: Call) -> Answer | None:
        if not self._after:
            self._kill(call)
        return None

    def _answered(self, call: Call, answer: Answer) -> Answer:
        self._kill(call)
        return answer

    def _kill(self, call: Call) -> None:
        if self._victim and (call.name, self._proxy.seen[call.name]) == self._step:
            self._victim.process.kill()
            raise Gone


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_a_worker_killed_at_any_step_of_a_task_loses_nothing_and_the_task_is_done_once(
    endpoint: str, start: Callable[..., Machine], proxy: Proxy, after: bool
) -> None:
    site = Site(endpoint, files=COPY, numThreads=1, visibilityTimeout=3600)
    killer = Killer(proxy, after=after)
    through = {"AWS_ENDPOINT_URL": proxy.url}
    victims = []
    for number, (name, count) in enumerate(STEPS):
        no_polls(proxy)
        site.put(f"data/{number}", str(number).encode() * 1000)
        victims.append(start(site, settings=through))
        killer.aim(victims[-1], name, count)
        assert victims[-1].wait() == -signal.SIGKILL, victims[-1].console
    run_out(site, proxy)
    last = start(site)
    assert last.wait() == 0, last.console
    for number, step in enumerate(STEPS):
        row = site.row(f"data/{number}")
        assert (row.state, row.outcome, row.attempts) == (State.DONE, Outcome.DONE, 1)
        [output] = row.outputs
        body = site.output(output.key)
        assert (output.key, body) == (f"results/{number}.out", str(number).encode() * 1000)
        # What was claimed and not ended was taken over; what had ended stayed as it was.
        ended = step == DELETE or (step == RECORD and after)
        assert row.instance == (victims[number] if ended else last).instance
        claimed = step in (("GET in", 1), ("PUT out", 1), RECORD) or (step == CLAIM and after)
        assert row.reclaims == (1 if claimed and not ended else 0)
    assert len(site.outputs()) == len(STEPS)
    assert site.messages() == 0


def test_of_two_workers_that_hold_one_task_one_result_wins_and_the_other_says_so(
    endpoint: str, start: Callable[..., Machine], proxy: Proxy, everyones: Path
) -> None:
    body = (
        f"echo $$ > {everyones}/pid-$(date +%s%N); [ -e {everyones}/go ] || sleep 4; echo $$ > out"
    )
    site = Site(endpoint, files={"run.sh": f"#!/bin/sh\n{body}; echo out\n"}, idleTimeout=5)
    site.put("data/a")
    frozen = start(site, settings={"AWS_ENDPOINT_URL": proxy.url})
    until(lambda: list(everyones.glob("pid-*")), seconds=60, what="the program runs")
    os.kill(frozen.process.pid, signal.SIGSTOP)
    (everyones / "go").touch()
    run_out(site, proxy)
    other = start(site)
    until(lambda: site.row("data/a").state == State.DONE, seconds=30)
    won = site.output("results/out")
    os.kill(frozen.process.pid, signal.SIGCONT)
    assert frozen.wait() == 0, frozen.console
    row = site.row("data/a")
    assert (row.instance, row.attempts, row.reclaims) == (other.instance, 1, 1)
    assert "the result is not recorded: the lease was lost" in frozen.console
    assert site.output("results/out") == won
    assert row.outputs[0].checksum == f"sha256:{hashlib.sha256(won).hexdigest()}"
    assert other.wait() == 0
    assert site.messages() == 0
