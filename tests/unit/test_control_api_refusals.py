"""What the API refuses, and what it says then."""

from __future__ import annotations

import logging

import pytest

from aws_parallelizer.core.errors import Conflict, NotFound, ParameterError
from calls import ask, post
from chalicelib import answers, api
from chalicelib.api import Call
from desks import Desk


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.make()
    return desk


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"outcome": "done"}, "allowed: program-error, timeout"),
        ({"outcome": "broken"}, "outcome"),
        ({"prefix": "x" * 1025}, "1024"),
        ({"keys": []}, "keys"),
        ({"keys": [""]}, "empty key"),
        ({"keys": ["é" * 513]}, "1024"),
        ({"keys": ["k"] * 1001}, "1000"),
        ({"keys": ["k" * 1000] * 257}, "256000"),
        ({"keys": "k"}, "keys"),
        ({"state": "failed"}, "state"),
    ],
)
def test_a_wrong_retry_is_refused_by_the_fields_name(desk: Desk, wrong: object, named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        api.retry(desk.context, post(wrong), "job")
    assert desk.world.registry.job("job").enqueues == ()


def test_a_pause_takes_no_fields(desk: Desk) -> None:
    for call in (api.pause, api.resume):
        with pytest.raises(ParameterError, match="seconds"):
            call(desk.context, post({"seconds": 5}), "job")


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"count": -1}, "count"),
        ({"count": "many"}, "count"),
        ({"count": 1.5}, "count"),
        ({"count": True}, "count"),
        ({}, "count"),
        ({"count": 1, "maxPrice": 0}, "maxPrice"),
        ({"number": 1, "count": 1}, "number"),
        ([1], "object"),
    ],
)
def test_a_wrong_body_is_refused_by_the_fields_name(desk: Desk, wrong: object, name: str) -> None:
    with pytest.raises(ParameterError, match=name):
        api.launch(desk.context, post(wrong), "job")
    assert desk.world.registry.job("job").wishes == ()


@pytest.mark.parametrize("body", [b"{", b"\xff", b"environmentZip=e", b"[]", b"3"])
def test_a_body_that_is_not_json_is_refused(desk: Desk, body: bytes) -> None:
    with pytest.raises(ParameterError):
        api.put_job(desk.context, Call("/p", {}, body), "new")


@pytest.mark.parametrize(
    "query",
    [
        {"state": "dead"},
        {"limit": "0"},
        {"limit": "1001"},
        {"next": "zz"},
        {"query": "["},
        {"query": "length(`1`)"},
        {"prefix": "x" * 1025},
    ],
)
def test_a_wrong_query_string_is_refused(desk: Desk, query: dict[str, str]) -> None:
    with pytest.raises(ParameterError):
        api.list_tasks(desk.context, Call("/p", query), "job")


def test_a_key_of_1025_bytes_is_refused(desk: Desk) -> None:
    with pytest.raises(ParameterError, match="1024"):
        api.get_task(desk.context, ask(key="é" * 512 + "x"), "job")


def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    calls = (api.get_job, api.list_tasks, api.list_instances, api.stop_instances, api.pause)
    for call in (*calls, api.resume):
        with pytest.raises(NotFound):
            call(desk.context, ask(), "nobody")
    with pytest.raises(NotFound):
        api.get_task(desk.context, ask(key="nothing"), "job")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x"), 404),
        (Conflict("x"), 409),
        (ParameterError([]), 400),
        (RuntimeError("secret"), 500),
    ],
)
def test_errors_become_answers_and_the_systems_own_explain_nothing(
    error: Exception, status: int
) -> None:
    answer = answers.failure(error)
    assert answer.status == status
    assert set(answer.document) == {"Code", "Message"}
    assert "secret" not in answer.document["Message"]
    assert answers.severity(answer) == (logging.ERROR if status == 500 else logging.INFO)
