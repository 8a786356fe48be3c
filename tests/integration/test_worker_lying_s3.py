"""S3 that says what is not so, and a clock that is off, under a real worker."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from aws_parallelizer.core.outcome import State
from machines import Machine, Site
from proxy import Answer, Call, Proxy

COPY = {"run.sh": '#!/bin/sh\ncp "$1" "$1.out" && echo "$1.out"\n'}
LIES = 3
SKEWED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the
current time is too large.</Message></Error>"""


def test_an_upload_that_s3_acknowledges_with_another_checksum_does_not_count_as_stored(
    endpoint: str, start: Callable[..., Machine], proxy: Proxy
) -> None:
    site = Site(endpoint, files=COPY)
    site.put("data/a", b"body")
    meanwhile: list[State] = []

    def lie(call: Call, answer: Answer) -> Answer:
        if call.name not in ("PUT out", "HEAD out") or proxy.seen["PUT out"] > LIES:
            return answer
        meanwhile.append(site.row("data/a").state)
        true = ("etag", "x-amz-checksum-sha256")
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in true}
        other = {"ETag": f'"{"0" * 32}"', "x-amz-checksum-sha256": "A" * 43 + "="}
        return answer._replace(headers=kept | other)

    proxy.after = lie
    machine = start(site, settings={"AWS_ENDPOINT_URL": proxy.url})
    assert machine.wait(60) == 0, machine.console
    assert "is not what was uploaded" in machine.console
    assert set(meanwhile) == {State.RUNNING}  # and so its message stayed
    row = site.row("data/a")
    assert (row.state, row.attempts) == (State.DONE, 1)
    assert row.outputs[0].checksum == f"sha256:{hashlib.sha256(b'body').hexdigest()}"
    assert site.output("results/a.out") == b"body"
    assert site.messages() == 0


def test_a_clock_that_is_ten_minutes_off_is_what_the_worker_says_when_signatures_fail(
    endpoint: str, start: Callable[..., Machine], proxy: Proxy
) -> None:
    site = Site(endpoint, files=COPY)
    skewed = Answer(403, {"Content-Type": "application/xml"}, SKEWED)
    proxy.before = lambda call: skewed if call.name == "GET env" else None
    machine = start(site, settings={"AWS_ENDPOINT_URL": proxy.url})
    assert machine.wait(60) == 1
    assert machine.is_off
    said = machine.console.splitlines()[-1]
    assert "the clock of this machine is off" in said
    assert "RequestTimeTooSkewed" in said


def test_a_clock_that_is_off_for_a_moment_costs_no_attempt(
    endpoint: str, start: Callable[..., Machine], proxy: Proxy
) -> None:
    site = Site(endpoint, files=COPY, maxAttempts=1)
    bodies = {"a": b"body", "b": b"x" * 3_000_000}  # by each of the ways to S3
    for name, body in bodies.items():
        site.put(f"data/{name}", body)
    skewed = Answer(403, {"Content-Type": "application/xml"}, SKEWED)
    refused = ("GET in", "PUT out")
    proxy.before = lambda call: (
        skewed if call.name in refused and proxy.seen[call.name] <= LIES else None
    )
    machine = start(site, settings={"AWS_ENDPOINT_URL": proxy.url})
    assert machine.wait(60) == 0, machine.console
    for name, body in bodies.items():
        row = site.row(f"data/{name}")
        assert (row.state, row.attempts) == (State.DONE, 1)
        assert site.output(f"results/{name}.out") == body
    assert all(proxy.seen[name] > LIES for name in refused)


def test_a_worker_without_credentials_says_so(endpoint: str, start: Callable[..., Machine]) -> None:
    site = Site(endpoint, files=COPY, shouldShutdown="false")
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
    machine = start(site, settings=none)
    assert machine.wait(60) == 1
    [line] = [line for line in machine.console.splitlines() if "the worker ends" in line]
    assert "the instance stays: Unable to locate credentials" in line
