"""The signed HTTP client, against an API on loopback."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.credentials import Credentials

from aws_parallelizer.aws.api import Api, ApiError
from emulator import free_port
from fakes.http_api import serving


class Session:
    """Has credentials, or none."""

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials

    def get_credentials(self) -> Credentials | None:
        return self._credentials


def make(base: str, *, credentials: Credentials | None = None) -> Api:
    session = Session(credentials or Credentials("AKIATEST", "secret"))
    return Api(session, base=base, region="eu-west-3", sleep=lambda _: None)


def test_every_call_is_signed_for_the_api_in_its_region() -> None:
    with serving({"GET /api/jobs": [(200, {"jobs": []})]}) as api:
        assert make(api.base).get("/jobs") == {"jobs": []}
    [asked] = api.asked
    signature = asked.headers["authorization"]
    assert signature.startswith("AWS4-HMAC-SHA256 Credential=AKIATEST/")
    assert "/eu-west-3/execute-api/aws4_request" in signature
    assert "secret" not in str(asked)


def test_a_key_of_any_letters_arrives_as_it_is() -> None:
    key = "a b+c%20é/日本?&=#;.txt\n"
    with serving({"GET /api/jobs/j/task": [(200, {})]}) as api:
        make(api.base).get("/jobs/j/task", key=key)
    assert api.asked[0].query == {"key": key}


@pytest.mark.parametrize("passing", [500, 503, 429, 0])
def test_a_failure_that_passes_is_tried_again(passing: int) -> None:
    with serving({"GET /api/jobs": [(passing, {}), (passing, {}), (200, {"jobs": []})]}) as api:
        assert make(api.base).get("/jobs") == {"jobs": []}
    assert len(api.asked) == 3


def test_a_repeated_post_keeps_its_idempotency_key_and_another_post_has_its_own() -> None:
    with serving({"POST /api/jobs/j/instances": [(502, {}), (202, {})]}) as api:
        client = make(api.base)
        client.post("/jobs/j/instances", {"count": 1})
        client.post("/jobs/j/instances", {"count": 1})
    first, repeated, second = (asked.headers["idempotency-key"] for asked in api.asked)
    assert first == repeated != second


def test_a_refusal_is_the_apis_own_sentence_and_is_not_tried_again() -> None:
    told = {"Code": "BadRequest", "Message": "maxInstances is 0; allowed: a whole number."}
    with (
        serving({"PUT /api/jobs/j": [(400, told)]}) as api,
        pytest.raises(ApiError, match=r"^maxInstances is 0") as caught,
    ):
        make(api.base).put("/jobs/j", {})
    assert (caught.value.status, caught.value.code) == (400, "BadRequest")
    assert len(api.asked) == 1


def test_a_refused_signature_hints_at_credentials_region_and_clock() -> None:
    with (
        serving({"GET /api/jobs": [(403, {"message": "Forbidden"})]}) as api,
        pytest.raises(ApiError, match=r"Forbidden.*credentials.*region.*clock"),
    ):
        make(api.base).get("/jobs")


def test_a_page_in_place_of_json_is_told_by_its_status() -> None:
    with (
        serving({"GET /api/jobs": [(500, b"<html>")]}) as api,
        pytest.raises(ApiError, match="HTTP status 500"),
    ):
        make(api.base).get("/jobs")
    assert len(api.asked) == 5


def test_an_api_that_is_not_there_is_named() -> None:
    base = f"http://127.0.0.1:{free_port()}/api"
    with pytest.raises(ApiError, match="does not answer") as caught:
        make(base).get("/jobs")
    assert base in str(caught.value)


def test_no_credentials_is_a_sentence() -> None:
    api = Api(Session(None), base="http://127.0.0.1:9/api", region="us-east-1")
    with pytest.raises(ApiError, match="AWS_PROFILE"):
        api.get("/jobs")


def test_a_listing_is_followed_to_its_end() -> None:
    pages: list[tuple[int, Any]] = [(200, {"tasks": [1], "next": "t"}), (200, {"tasks": [2]})]
    with serving({"GET /api/jobs/j/tasks": pages}) as api:
        found = [page["tasks"] for page in make(api.base).pages("/jobs/j/tasks", state="done")]
    assert found == [[1], [2]]
    assert [asked.query for asked in api.asked] == [
        {"state": "done"},
        {"state": "done", "next": "t"},
    ]
