"""SQS and DynamoDB that answer nonsense now and then, under a real worker."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from aws_parallelizer.core.outcome import State
from leasing import run_out
from machines import Machine, Site
from proxy import Answer, Call, Gone, Proxy

TASKS = 20
COPY = {"run.sh": '#!/bin/sh\ncp "$1" out && echo out\n'}
_JSON = {"Content-Type": "application/x-amz-json-1.0"}
NONSENSE = (
    Answer(200, {"Content-Type": "text/html"}, b"<html>log in first</html>"),
    Answer(200, _JSON, b""),
    Answer(200, _JSON, b"{}"),
    Answer(200, _JSON, b"[]"),
    Answer(200, _JSON, b"null"),
    Answer(200, _JSON, b'{"Messages": [{}], "Responses": [], "Successful": [{}]}'),
    Answer(200, _JSON, b'{"Messages": "none", "Responses": "none", "Successful": 1}'),
    Answer(400, _JSON, b'{"__type": "com.amazonaws#SomethingNew", "message": "?"}'),
    Answer(400, _JSON, b""),
    Answer(500, {}, b"\xff\xfe"),
    Answer(503, {}, b""),
    None,
)


def test_services_that_answer_nonsense_now_and_then_lose_no_task(
    endpoint: str, start: Callable[..., Machine], proxy: Proxy
) -> None:
    site = Site(endpoint, files=COPY, numThreads=4, idleTimeout=5, maxAttempts=1)
    seed = random.randrange(10**6)
    chance, lock, told = random.Random(seed), threading.Lock(), list[str]()

    def nonsense(call: Call, answer: Answer) -> Answer:
        if not call.name.endswith((" task", "Message", "Batch")):
            return answer
        with lock:
            if chance.random() > 0.5 or len(told) >= 30:
                return answer
            chosen = chance.choice(NONSENSE)
            told.append(f"{call.name}: {chosen}")
        if chosen is None:
            raise Gone
        return chosen

    proxy.after = nonsense
    for number in range(TASKS):
        site.put(f"data/{number}/a", b"%d" % number)
    machine = start(site, settings={"AWS_ENDPOINT_URL": proxy.url})
    assert machine.wait(200) == 0, (seed, told, machine.console)
    run_out(site, proxy)  # of what it had to give up
    machine = start(site)
    assert machine.wait(60) == 0, (seed, told, machine.console)
    for number in range(TASKS):
        row = site.row(f"data/{number}/a")
        assert (row.state, row.attempts) == (State.DONE, 1), (seed, row)
        assert site.output(f"results/{number}/out") == b"%d" % number
    assert told
    assert site.messages() == 0
