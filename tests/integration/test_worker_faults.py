"""What a worker process makes of messages whose object or ledger is not there."""

from __future__ import annotations

from collections.abc import Callable

from aws_parallelizer.core.outcome import Outcome, State
from machines import Machine, Site

COPY = '#!/bin/sh\ncp "$1" "$1.out" && echo "$1.out"\n'


def test_an_object_deleted_before_it_is_read_is_skipped_once_and_not_tried_again(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={"run.sh": COPY})
    site.put("data/gone")
    site.put("data/there")
    site.s3.delete_object(Bucket=f"{site.name}-in", Key="data/gone")
    assert start(site).wait() == 0
    row = site.row("data/gone")
    assert (row.state, row.outcome, row.attempts) == (State.SKIPPED, Outcome.INPUT_MISSING, 0)
    assert site.row("data/there").state == State.DONE
    assert site.messages() == 0


def test_a_task_with_two_messages_is_worked_on_once(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={"run.sh": COPY})
    site.put("data/a", again=2)
    assert start(site).wait() == 0
    row = site.row("data/a")
    assert (row.state, row.attempts) == (State.DONE, 1)
    assert site.messages() == 0


def test_without_a_ledger_a_worker_works_from_the_queue_alone_and_cannot_tell_doubles(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={"run.sh": f"{COPY}echo ran\n"})
    site.s3.put_object(Bucket=f"{site.name}-in", Key="data/a", Body=b"1")
    for _ in range(2):
        site.send("data/a")  # a bare key, as the Java program sent it
    machine = start(site, told=site.user_data(ledger=False))
    assert machine.wait() == 0
    assert machine.console.count("task ended") == 2
    assert site.outputs() == ["results/a.out"]
    assert site.messages() == 0
