"""What the command line says when API Gateway refuses a signature."""

from __future__ import annotations

import pytest
from botocore.credentials import Credentials

from aws_parallelizer.aws import signatures
from aws_parallelizer.aws.api import Api, ApiError
from fakes.http_api import serving

BASE = "https://abc123.execute-api.eu-west-1.amazonaws.com/api"


def hint(message: str, *, region: str = "eu-west-1") -> str:
    return signatures.hint(message, base=BASE, region=region)


def test_a_call_signed_for_another_region_is_told_which_one_is_right() -> None:
    message = "Credential should be scoped to a valid region, not 'us-east-1'. "
    said = hint(message, region="us-east-1")
    assert "eu-west-1" in said
    assert "AWS_REGION" in said


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "Signature expired: 20260301T115000Z is now earlier than x (20260301T120000Z - 5 min.)",
            "clock is 10 minutes behind",
        ),
        (
            "Signature not yet current: 20260301T121200Z is later (20260301T120000Z + 5 min.)",
            "clock is 12 minutes ahead",
        ),
        ("Signature expired", "clock is wrong"),
    ],
)
def test_a_skewed_clock_is_told_by_how_much(message: str, said: str) -> None:
    assert said in hint(message)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Missing Authentication Token", "URL"),
        ("The security token included in the request is invalid.", "does not know"),
        ("The security token included in the request is expired", "run out"),
        ("The request signature we calculated does not match the signature you provided", "secret"),
        ("User: arn:aws:iam::1:user/a is not authorized to perform: execute-api:Invoke", "Invoke"),
        ("User: a is not authorized to perform: x with an explicit deny", "policy forbids"),
        ("Forbidden", "credentials"),
    ],
)
def test_each_refusal_has_its_hint(message: str, said: str) -> None:
    assert said in hint(message)


def test_a_refused_call_says_aws_words_and_the_hint_and_is_sent_once() -> None:
    told = {"message": "The security token included in the request is expired"}
    with (
        serving({"GET /api/jobs": [(403, told)]}) as api,
        pytest.raises(ApiError, match=r"is expired\. These credentials have run out\.") as caught,
    ):
        Api(Session(), base=api.base, region="eu-west-1").get("/jobs")
    assert caught.value.status == 403
    assert len(api.asked) == 1


class Session:
    """Has credentials."""

    def get_credentials(self) -> Credentials:
        return Credentials("AKIATEST", "secret")
