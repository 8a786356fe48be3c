"""doctor on credentials, region, clock and stack: facts in, findings out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aws_parallelizer.aws.cloudformation import Stack
from aws_parallelizer.aws.identity import Caller
from aws_parallelizer.cli.doctor import account
from aws_parallelizer.cli.doctor.finding import Verdict

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
API = "https://abc123.execute-api.eu-west-3.amazonaws.com/api"


def stack(status: str, *, without: str = "") -> Stack:
    outputs = {name: "x" for name in account.OUTPUTS if name != without}
    return Stack(id="arn", status=status, parameters={}, outputs=outputs)


def test_who_calls_is_named() -> None:
    found = account.credentials(Caller(arn="arn:aws:iam::1:user/me", account="1"))
    assert (found.verdict, "user/me" in found.cause) == (Verdict.OK, True)


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("ExpiredToken", "expired"),
        ("ExpiredTokenException", "expired"),
        ("RequestExpired", "expired"),
        ("InvalidClientTokenId", "does not know the access key"),
        ("SignatureDoesNotMatch", "does not fit"),
        ("AccessDenied", "AccessDenied: why"),
    ],
)
def test_credentials_that_aws_refuses_fail_with_their_own_cause(code: str, cause: str) -> None:
    found = account.credentials(Caller(code=code, message="why"))
    assert found.verdict is Verdict.FAILED
    assert cause in found.cause


@pytest.mark.parametrize(
    ("region", "api", "verdict"),
    [
        (None, "", Verdict.FAILED),
        ("eu-west-3", "", Verdict.OK),
        ("eu-west-3", API, Verdict.OK),
        ("us-east-1", API, Verdict.FAILED),
        ("us-east-1", "http://127.0.0.1:4566/api", Verdict.OK),
    ],
)
def test_a_region_that_is_not_the_apis_is_told(
    region: str | None, api: str, verdict: Verdict
) -> None:
    found = account.region(region, api=api)
    assert found.verdict is verdict
    if region == "us-east-1" and verdict is Verdict.FAILED:
        assert found.cure == "Set AWS_REGION=eu-west-3."


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [
        (0, Verdict.OK),
        (60, Verdict.OK),
        (-60, Verdict.OK),
        (61, Verdict.WARNING),
        (-300, Verdict.WARNING),
        (301, Verdict.FAILED),
        (-3600, Verdict.FAILED),
    ],
)
def test_a_clock_that_is_off_is_told_before_signatures_fail(seconds: int, verdict: Verdict) -> None:
    found = account.clock(NOW - timedelta(seconds=seconds), now=NOW)
    assert found.verdict is verdict
    if verdict is not Verdict.OK:
        assert ("ahead of" if seconds > 0 else "behind") in found.cause
        assert "NTP" in found.cure


def test_a_clock_that_nobody_tells_is_not_checked() -> None:
    assert account.clock(None, now=NOW).verdict is Verdict.NOT_CHECKED


@pytest.mark.parametrize(
    ("found", "verdict", "says"),
    [
        (stack("CREATE_COMPLETE"), Verdict.OK, "CREATE_COMPLETE"),
        (stack("UPDATE_COMPLETE"), Verdict.OK, "UPDATE_COMPLETE"),
        (stack("UPDATE_ROLLBACK_COMPLETE"), Verdict.WARNING, "taken back"),
        (stack("UPDATE_IN_PROGRESS"), Verdict.WARNING, "UPDATE_IN_PROGRESS"),
        (stack("CREATE_IN_PROGRESS", without="EndpointURL"), Verdict.FAILED, "CREATE_IN_PROGRESS"),
        (stack("ROLLBACK_COMPLETE"), Verdict.FAILED, "ROLLBACK_COMPLETE"),
        (stack("UPDATE_ROLLBACK_FAILED"), Verdict.FAILED, "UPDATE_ROLLBACK_FAILED"),
        (stack("CREATE_COMPLETE", without="WorkerProfile"), Verdict.FAILED, "WorkerProfile"),
        (None, Verdict.FAILED, "no stack p in us-east-1"),
    ],
)
def test_a_stack_is_to_be_there_whole_and_ours(
    found: Stack | None, verdict: Verdict, says: str
) -> None:
    finding = account.stack("p", found, region="us-east-1", api="")
    assert finding.verdict is verdict
    assert says in finding.cause
    assert bool(finding.cure) == (verdict is not Verdict.OK)


def test_a_stack_that_is_not_there_is_a_warning_where_the_apis_address_is_given() -> None:
    found = account.stack("p", None, region="us-east-1", api=API)
    assert found.verdict is Verdict.WARNING
    assert "PARALLELIZER_STACK" in found.cure
