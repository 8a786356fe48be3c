"""The app's door: transport in, answers out, errors in one place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chalice.test import Client

import app as door
from desks import Desk

# Chalice's test client takes every caller for signed in, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:IAMAuthorizer is not a supported:UserWarning")

CONTROL = Path(door.__file__).parent
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(door, "_context", lambda: desk.context)
    return desk


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(door.app, stage_name="api", project_dir=str(CONTROL)) as made:
        yield made


def record(number: str, body: str) -> dict[str, Any]:
    """A message as Lambda hands it over."""
    return {
        "messageId": number,
        "receiptHandle": f"handle of {number}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
    }


def test_a_parameters_file_is_taken_as_text_with_its_dos_line_ends(
    desk: Desk, client: Client
) -> None:
    text = b"environmentZip=e.zip\r\nanalysisProgram=run.sh\r\n"
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    answer = client.http.put("/jobs/java", headers=headers, body=text)
    assert answer.status_code == 201
    assert answer.json_body["parameters"]["analysisProgram"] == "run.sh"
    assert answer.headers["Content-Type"] == "application/json"


def test_a_name_that_is_not_allowed_is_refused_on_every_route(desk: Desk, client: Client) -> None:
    for method, path in [("get", ""), ("put", ""), ("delete", ""), ("post", "/enqueue")]:
        answer = getattr(client.http, method)(f"/jobs/UPPER{path}", headers=JSON, body=b"{}")
        assert (answer.status_code, answer.json_body["Code"]) == (400, "BadRequestError")


def test_a_body_of_another_type_is_refused(desk: Desk, client: Client) -> None:
    answer = client.http.post("/jobs/x/instances", headers={"Content-Type": "text/xml"}, body=b"<")
    assert answer.status_code == 415


def test_an_idempotency_key_is_read_whatever_its_headers_case(desk: Desk, client: Client) -> None:
    desk.make("x")
    body = json.dumps({"count": 1}).encode()
    for name in ("Idempotency-Key", "idempotency-key"):
        answer = client.http.post("/jobs/x/instances", headers={**JSON, name: "k"}, body=body)
        assert answer.status_code == 202
    [wish] = desk.world.registry.job("x").wishes
    assert wish.count == 1
    other = client.http.post(
        "/jobs/x/enqueue", headers={**JSON, "Idempotency-Key": "k"}, body=b"{}"
    )
    assert (other.status_code, other.json_body["Code"]) == (409, "ConflictError")


def test_a_query_string_reaches_its_operation(desk: Desk, client: Client) -> None:
    desk.make("x")
    desk.world.enqueue("x/a b+c", job="x")
    answer = client.http.get("/jobs/x/task?key=x%2Fa%20b%2Bc")
    assert answer.json_body["key"] == "x/a b+c"


def test_the_systems_own_failure_is_a_500_that_is_logged_and_explains_nothing(
    monkeypatch: pytest.MonkeyPatch, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise RuntimeError("hush")

    monkeypatch.setattr(door, "_context", broken)
    answer = client.http.get("/jobs")
    assert (answer.status_code, answer.json_body["Code"]) == (500, "InternalServerError")
    assert "hush" not in answer.json_body["Message"]
    assert "hush" in caplog.text


def test_a_batch_of_uploads_reports_the_messages_that_failed(desk: Desk, client: Client) -> None:
    desk.make("x")
    good = desk.told({"key": "x/a"}, number="good")
    records = [record("good", good.body), record("poison", "{")]
    answer = client.lambda_.invoke("on_upload", {"Records": records})
    assert answer.payload == {"batchItemFailures": [{"itemIdentifier": "poison"}]}
    assert len(desk.sent("x")) == 1


def test_a_step_that_is_none_is_left_to_the_dead_letter_queue(desk: Desk, client: Client) -> None:
    with pytest.raises(msgspec.ValidationError, match="step"):
        client.lambda_.invoke("on_step", {"Records": [record("m", "{}")]})
