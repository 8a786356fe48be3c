"""Workers that are killed at random moments, over and over, and what the ledger and the outputs say
when all is over, against the truth.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable

from aws_parallelizer.core.outcome import Outcome, State
from machines import Machine, Site
from waiting import until

TASKS = 150
WORKERS = 3
KILLS = 10
# Tells what it read, in one file and one in a directory; fails for some inputs.
SCRIPT = """#!/bin/sh
sleep 0.$(($$ % 4))
case $1 in *bad) echo no >&2; exit 3;; esac
mkdir made && sha256sum < "$1" > made/sum && cp "$1" copy && echo made && echo copy
"""


def key(number: int) -> str:
    return f"data/{number}/{'bad' if number % 10 == 3 else 'good'}"


def body(number: int) -> bytes:
    return b"%d\n" % number * (number * 97 % 5000)


def is_over(site: Site) -> bool:
    counts = site.ledger.counts(site.name)
    return not counts.get(State.QUEUED) and not counts.get(State.RUNNING)


def test_workers_killed_at_random_moments_lose_nothing_double_nothing_and_count_nothing(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(
        endpoint, files={"run.sh": SCRIPT}, visibilityTimeout=30, idleTimeout=45, maxAttempts=2
    )
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    for number in range(TASKS):
        site.put(key(number), body(number), again=2 if number % 25 == 0 else 1)
    gone = [number for number in range(TASKS) if number % 50 == 7]
    for number in gone:
        site.s3.delete_object(Bucket=f"{site.name}-in", Key=key(number))
    machines = [start(site) for _ in range(WORKERS)]
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.3, 2.5))  # any moment is the right one
        victim = chance.randrange(WORKERS)
        machines[victim].process.kill()
        machines[victim].process.wait()
        machines[victim] = start(site)
    until(lambda: is_over(site), seconds=150, what=f"all tasks end, seed {seed}")
    until(lambda: site.messages() == 0, seconds=60, what=f"all messages go, seed {seed}")
    expected = set()
    for number in range(TASKS):
        row = site.row(key(number))
        told = f"seed {seed}: {row}"
        if number in gone:
            assert (row.state, row.outcome) == (State.SKIPPED, Outcome.INPUT_MISSING), told
        elif key(number).endswith("bad"):
            assert (row.state, row.exit_code, row.attempts) == (State.FAILED, 3, 2), told
        else:
            assert (row.state, row.attempts) == (State.DONE, 1), told
            expected |= check_outputs(site, number)
    made = {made for made in site.outputs() if not made.startswith("results/.logs/")}
    assert made == expected, f"seed {seed}"


def check_outputs(site: Site, number: int) -> set[str]:
    """The output keys of a done task, which are there and are what the row says they are."""
    outputs = {output.key: output for output in site.row(key(number)).outputs}
    sha256 = hashlib.sha256(body(number)).hexdigest()
    bodies = {
        f"results/{number}/copy": body(number),
        f"results/{number}/made/sum": f"{sha256}  -\n".encode(),
    }
    assert outputs.keys() == bodies.keys()
    for name, expected in bodies.items():
        assert site.output(name) == expected
        assert outputs[name].size == len(expected)
        assert outputs[name].checksum == f"sha256:{hashlib.sha256(expected).hexdigest()}"
    return set(bodies)
