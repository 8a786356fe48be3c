"""S3 that hands out what is not the input, under a real worker: no program ever sees it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

from aws_parallelizer.core.outcome import State
from machines import Machine, Site
from proxy import Answer, Call, Proxy

COPY = {"run.sh": '#!/bin/sh\ncp "$1" out && echo out\n'}
ERROR = b"<Error><Code>InternalError</Code><Message>Please try again.</Message></Error>"
LIES = 2  # of what is asked for first


def error_body(answer: Answer) -> Answer:
    headers = {"Content-Type": "application/xml", "Content-Length": str(len(ERROR))}
    return Answer(200, headers, ERROR)


def error_body_under_its_etag(answer: Answer) -> Answer:
    return Answer(200, answer.headers | {"Content-Length": str(len(ERROR))}, ERROR)


def cut_short(answer: Answer) -> Answer:
    half = answer.body[: len(answer.body) // 2]
    return Answer(200, answer.headers | {"Content-Length": str(len(half))}, half)


def broken_off(answer: Answer) -> Answer:
    length = {"Content-Length": str(len(answer.body)), "Connection": "close"}
    return Answer(200, answer.headers | length, answer.body[: len(answer.body) // 2])


def bits_turned(answer: Answer) -> Answer:
    return answer._replace(body=answer.body[:-2] + b"!\n")


def etag_of_another(answer: Answer) -> Answer:
    kept = {name: value for name, value in answer.headers.items() if name.lower() != "etag"}
    return answer._replace(headers=kept | {"ETag": f'"{"0" * 32}"'})


def another_object(answer: Answer) -> Answer:
    other = b"somebody else's, and all of it is as it should be"
    kept = {name: value for name, value in answer.headers.items() if name.lower() != "etag"}
    headers = kept | {"ETag": f'"{hashlib.md5(other).hexdigest()}"'}
    return Answer(200, headers | {"Content-Length": str(len(other))}, other)


LIES_TOLD = (
    error_body,
    error_body_under_its_etag,
    cut_short,
    broken_off,
    bits_turned,
    etag_of_another,
    another_object,
)


def body(number: int) -> bytes:
    return b"%d is really there\n" % number * 50


def test_bytes_that_are_not_the_inputs_reach_no_program(
    endpoint: str, start: Callable[..., Machine], proxy: Proxy
) -> None:
    site = Site(endpoint, files=COPY, maxAttempts=1, numThreads=len(LIES_TOLD))
    for number in range(len(LIES_TOLD)):
        site.put(f"data/{number}/a", body(number))
    told: Counter[int] = Counter()

    def lied(call: Call, answer: Answer) -> Answer:
        if call.name != "GET in" or answer.status != 200:
            return answer
        number = int(answer.body.split()[0])
        told[number] += 1
        return LIES_TOLD[number](answer) if told[number] <= LIES else answer

    proxy.after = lied
    machine = start(site, settings={"AWS_ENDPOINT_URL": proxy.url})
    assert machine.wait(100) == 0, machine.console
    for number, lie in enumerate(LIES_TOLD):
        row = site.row(f"data/{number}/a")
        assert (row.state, row.attempts) == (State.DONE, 1), (lie, row)
        assert site.output(f"results/{number}/out") == body(number), lie
        assert told[number], lie  # one that broke off may have been taken up where it ended
    assert site.messages() == 0


def test_etags_that_are_no_checksums_are_believed_once_the_bytes_have_come_twice(
    endpoint: str, start: Callable[..., Machine], proxy: Proxy
) -> None:
    site = Site(endpoint, files=COPY)
    for number in range(5):
        site.put(f"data/{number}/a", body(number), etag="")
    proxy.after = lambda call, answer: (
        etag_of_another(answer) if call.name == "GET in" and answer.status == 200 else answer
    )
    machine = start(site, settings={"AWS_ENDPOINT_URL": proxy.url})
    assert machine.wait(60) == 0, machine.console
    for number in range(5):
        assert site.row(f"data/{number}/a").state == State.DONE
        assert site.output(f"results/{number}/out") == body(number)
    assert 6 <= proxy.seen["GET in"] < 10


def test_an_object_that_s3_says_is_another_than_its_message_says_is_taken_as_it_is(
    endpoint: str, start: Callable[..., Machine], proxy: Proxy
) -> None:
    site = Site(endpoint, files=COPY)
    for number, size in enumerate((10, 5_000_000)):
        site.put(f"data/{number}/a", b"x" * size, etag="0" * 32)
    machine = start(site, settings={"AWS_ENDPOINT_URL": proxy.url})
    assert machine.wait(60) == 0, machine.console
    for number, size in enumerate((10, 5_000_000)):
        row = site.row(f"data/{number}/a")
        assert (row.state, row.attempts, row.size) == (State.DONE, 1, size)
        assert row.etag == hashlib.md5(b"x" * size).hexdigest()
        assert site.output(f"results/{number}/out") == b"x" * size
    assert proxy.seen["GET in"] == 4
