"""A minute in which S3 answers 503 to everything, in the middle of a real worker's work."""

from __future__ import annotations

from pathlib import Path

from aws_parallelizer.core.outcome import State
from machines import Machine, Site
from slow_s3 import slow_s3
from waiting import until

SECONDS = 60
FILES = 8
# Waits for the test to say so: then outputs are to be stored, and other inputs to be fetched.
SCRIPT = """#!/bin/sh
touch {folder}/began
while [ ! -e {folder}/go ]; do sleep 0.05; done
cp "$1" "$1.out" && echo "$1.out"
"""


def test_s3_that_says_slow_down_for_a_minute_costs_no_attempt(
    endpoint: str, tmp_path: Path, everyones: Path
) -> None:
    site = Site(endpoint, files={"run.sh": SCRIPT.format(folder=everyones)}, idleTimeout=5)
    for number in range(FILES):
        site.put(f"data/{number}", f"file {number}".encode())
    with slow_s3(endpoint) as s3:
        machine = Machine(site, tmp_path / "m", settings={"AWS_ENDPOINT_URL_S3": s3.url})
        try:
            until((everyones / "began").exists, seconds=30, what="a program runs")
            s3.refuse(seconds=SECONDS)
            (everyones / "go").touch()
            assert machine.wait(SECONDS + 90) == 0, machine.console
        finally:
            machine.close()
        assert s3.is_over
    rows = [site.row(f"data/{number}") for number in range(FILES)]
    assert {(row.state, row.attempts, row.reclaims) for row in rows} == {(State.DONE, 1, 0)}
    for number in range(FILES):
        assert site.output(f"results/{number}.out") == f"file {number}".encode()
    assert site.messages() == 0
    assert s3.refused  # the minute fell into the work
    assert max(s3.refused.values()) < 40  # and nobody knocked without a pause
