"""doctor's launch that is none: what it asks for, and what the answer means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_parallelizer.aws import identity, quotas
from aws_parallelizer.aws.identity import Denial
from aws_parallelizer.aws.survey import DryRun, Survey
from aws_parallelizer.cli.doctor import launch
from aws_parallelizer.cli.doctor.finding import Verdict
from aws_parallelizer.core.parameters import Parameters

DENIAL = Denial("iam:PassRole", "arn:aws:iam::1:role/worker", explicit=False)


def refusal(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Any")


class Ec2:
    """Notes launches, and refuses them or not."""

    def __init__(self, error: ClientError | None) -> None:
        self.error = error
        self.asked: list[dict[str, Any]] = []

    def run_instances(self, **arguments: Any) -> dict[str, Any]:
        self.asked.append(arguments)
        if self.error:
            raise self.error
        return {"Instances": [{"InstanceId": "i-1"}]}


@pytest.mark.parametrize("given", [{}, {"DryRun": False}])
def test_whatever_it_is_given_it_is_a_dry_run(given: dict[str, Any]) -> None:
    ec2 = Ec2(refusal("DryRunOperation", "would have"))
    assert Survey(ec2).launch_nothing({"ImageId": "ami-1", **given}).code == "DryRunOperation"
    assert ec2.asked == [{"ImageId": "ami-1", "DryRun": True}]


def test_an_emulator_that_launches_all_the_same_is_named() -> None:
    answer = Survey(Ec2(None)).launch_nothing({})
    found = launch.verdict(answer, None, pool="a pool")
    assert found.verdict is Verdict.FAILED
    assert "i-1" in found.cause


@pytest.mark.parametrize(
    ("code", "denial", "verdict", "says"),
    [
        ("DryRunOperation", None, Verdict.OK, "would launch a pool"),
        ("UnauthorizedOperation", None, Verdict.NOT_CHECKED, "its own role"),
        ("UnauthorizedOperation", DENIAL, Verdict.NOT_CHECKED, "no policy allows iam:PassRole"),
        (
            "UnauthorizedOperation",
            DENIAL._replace(explicit=True),
            Verdict.WARNING,
            "denies you iam:PassRole on arn:aws:iam::1:role/worker",
        ),
        ("InvalidParameterValue", None, Verdict.FAILED, "InvalidParameterValue: why"),
        ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", None, Verdict.FAILED, "why"),
    ],
)
def test_ec2s_answer_is_a_finding(
    code: str, denial: Denial | None, verdict: Verdict, says: str
) -> None:
    found = launch.verdict(DryRun(code, "why"), denial, pool="a pool")
    assert found.verdict is verdict
    assert says in found.cause


def test_it_asks_for_what_the_control_plane_asks_for() -> None:
    given = Parameters(
        environment_zip="e",
        analysis_program="p",
        spot_type="persistent",
        shutdown_behavior="stop",
        max_price=0.25,
    )
    asked = launch.arguments(given, {"ImageId": "ami-1"}, kind="m5.large", subnet="subnet-1")
    assert asked["InstanceMarketOptions"]["SpotOptions"] == {
        "SpotInstanceType": "persistent",
        "InstanceInterruptionBehavior": "stop",
        "MaxPrice": "0.250000",
    }
    assert (asked["ImageId"], asked["MinCount"], asked["MaxCount"]) == ("ami-1", 1, 1)


class Sts:
    """Decodes one message."""

    def decode_authorization_message(self, *, EncodedMessage: str) -> dict[str, str]:  # noqa: N803
        assert EncodedMessage == "AbC-_1"
        context = {"action": "ec2:RunInstances", "resource": "arn:x"}
        return {"DecodedMessage": json.dumps({"explicitDeny": True, "context": context})}


def test_an_encoded_denial_is_decoded() -> None:
    message = "You are not. Encoded authorization failure message: AbC-_1\n"
    found = identity.denial(Sts(), message=message)
    assert found == Denial("ec2:RunInstances", "arn:x", explicit=True)
    assert identity.denial(Sts(), message="You are not.") is None


class Quotas:
    """Has AWS's default alone."""

    class exceptions:  # noqa: N801 - boto3's name
        class NoSuchResourceException(Exception):
            pass

    def get_service_quota(self, **_: str) -> None:
        raise self.exceptions.NoSuchResourceException

    def get_aws_default_service_quota(self, **asked: str) -> dict[str, Any]:
        assert asked == {"ServiceCode": "ec2", "QuotaCode": quotas.SPOT_STANDARD}
        return {"Quota": {"Value": 5.0}}


def test_an_account_without_a_quota_of_its_own_has_awss_default() -> None:
    assert quotas.vcpus(Quotas(), code=quotas.SPOT_STANDARD) == 5
