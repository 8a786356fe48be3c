"""The fake EC2's launches against what AWS documents:

- client tokens: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
- errors of a fleet: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFleetError.html
- error codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
- spot prices:
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from accounts import (
    OTHER_POOL,
    POOL,
    account,
    code_of,
    described,
    fleet_arguments,
    launched,
    run_arguments,
    state_of,
)
from fakes.ec2 import Market


def test_the_same_token_and_call_launches_once_and_is_answered_the_same() -> None:
    ec2 = account()
    first = ec2.create_fleet(**fleet_arguments(count=3, token="t"))
    again = ec2.create_fleet(**fleet_arguments(count=3, token="t"))

    assert first == again
    assert len(ec2.machines) == 3


@pytest.mark.parametrize("call", ["create_fleet", "run_instances"])
def test_the_same_token_with_another_argument_is_refused(call: str) -> None:
    ec2 = account()
    arguments = fleet_arguments if call == "create_fleet" else run_arguments
    getattr(ec2, call)(**arguments(token="t"))

    assert code_of(getattr(ec2, call), **arguments(token="t", count=2)) == (
        "IdempotentParameterMismatch"
    )
    assert len(ec2.machines) == 1


def test_a_token_whose_launch_was_refused_may_launch_later() -> None:
    ec2 = account(market=Market(spare=0))
    assert code_of(ec2.run_instances, **run_arguments(token="t")) == "InsufficientInstanceCapacity"

    ec2.capacity = 1
    ec2.run_instances(**run_arguments(token="t"))

    assert len(ec2.machines) == 1


def test_a_fleet_takes_what_there_is_pool_by_pool_and_says_why_there_is_not_more() -> None:
    ec2 = account(market=Market(pools={POOL: 2, OTHER_POOL: 1}))

    answer = ec2.create_fleet(**fleet_arguments(POOL, OTHER_POOL, count=5))

    assert len(launched(answer)) == 3
    assert [
        (each["ErrorCode"], each["LaunchTemplateAndOverrides"]["Overrides"]["SubnetId"])
        for each in answer["Errors"]
    ] == [
        ("InsufficientInstanceCapacity", "subnet-a"),
        ("InsufficientInstanceCapacity", "subnet-b"),
    ]
    assert {each["Lifecycle"] for each in answer["Errors"]} == {"spot"}


def test_a_fleet_starts_with_the_cheapest_pool_and_passes_over_those_above_the_maximum() -> None:
    ec2 = account(market=Market(prices={POOL: 0.05, OTHER_POOL: 0.02}))

    cheap = ec2.create_fleet(**fleet_arguments(POOL, OTHER_POOL))
    dear = ec2.create_fleet(**fleet_arguments(POOL, price="0.04"))

    assert ec2.machines[launched(cheap)[0]].pool == OTHER_POOL
    assert [each["ErrorCode"] for each in dear["Errors"]] == ["SpotMaxPriceTooLow"]


def test_run_instances_launches_all_that_were_asked_for_or_none() -> None:
    ec2 = account(market=Market(spare=2))

    with pytest.raises(ClientError) as error:
        ec2.run_instances(**run_arguments(count=3))

    assert error.value.response["Error"]["Code"] == "InsufficientInstanceCapacity"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert ec2.machines == {}


def test_the_limit_of_spot_instances_is_the_accounts() -> None:
    ec2 = account(market=Market(spot_limit=2))
    ec2.create_fleet(**fleet_arguments(count=2))

    assert code_of(ec2.run_instances, **run_arguments()) == "MaxSpotInstanceCountExceeded"
    [error] = ec2.create_fleet(**fleet_arguments())["Errors"]
    assert error["ErrorCode"] == "MaxSpotInstanceCountExceeded"
    ec2.end(ec2.running[0])
    ec2.run_instances(**run_arguments())

    assert len(ec2.running) == 2


def test_an_on_demand_fleet_has_no_lifecycle_no_request_and_its_own_limit() -> None:
    ec2 = account(market=Market(spare=0, vcpu_limit=2))

    [id_] = launched(ec2.create_fleet(**fleet_arguments(target="on-demand")))

    [entry] = described(ec2, InstanceIds=[id_])
    assert "InstanceLifecycle" not in entry
    assert "SpotInstanceRequestId" not in entry
    [error] = ec2.create_fleet(**fleet_arguments(target="on-demand"))["Errors"]
    assert (error["ErrorCode"], error["Lifecycle"]) == ("VcpuLimitExceeded", "on-demand")


def test_on_demand_instances_may_be_given_where_spot_was_asked() -> None:
    ec2 = account(gives_on_demand=True)

    [id_] = launched(ec2.create_fleet(**fleet_arguments()))

    [entry] = described(ec2, InstanceIds=[id_])
    assert "InstanceLifecycle" not in entry
    assert ec2.requests == {}


def test_a_launch_is_tagged_as_it_says_and_its_request_too() -> None:
    ec2 = account()
    answer = ec2.run_instances(**run_arguments())
    [id_] = [each["InstanceId"] for each in answer["Instances"]]

    [entry] = described(ec2, Filters=[{"Name": "tag:owner", "Values": ["me"]}])
    answer = ec2.describe_spot_instance_requests(Filters=[{"Name": "tag:owner", "Values": ["me"]}])

    assert entry["InstanceId"] == id_
    assert entry["InstanceLifecycle"] == "spot"
    assert (entry["SubnetId"], entry["Placement"]["AvailabilityZone"]) == (
        "subnet-a",
        "us-east-1a",
    )
    assert [each["InstanceId"] for each in answer["SpotInstanceRequests"]] == [id_]


def test_a_dry_run_launches_nothing() -> None:
    ec2 = account()

    assert code_of(ec2.run_instances, **run_arguments(), DryRun=True) == "DryRunOperation"
    assert ec2.machines == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"LaunchTemplateId": "lt-gone", "Version": "1"}, "InvalidLaunchTemplateId.NotFound"),
        ({"LaunchTemplateId": "lt-other", "Version": "1"}, "InvalidAMIID.NotFound"),
    ],
)
def test_a_launch_needs_its_template_and_its_image(change: dict[str, str], code: str) -> None:
    ec2 = account()
    ec2.create_launch_template(
        LaunchTemplateName="other", VersionDescription="1", LaunchTemplateData={"ImageId": "ami-x"}
    )

    assert code_of(ec2.run_instances, **{**run_arguments(), "LaunchTemplate": change}) == code


def test_a_launched_instance_is_pending_before_it_runs() -> None:
    ec2 = account(boots_after=timedelta(seconds=20))
    [id_] = launched(ec2.create_fleet(**fleet_arguments()))
    assert ec2.machines[id_].state == "pending"

    ec2.pass_time(20)

    assert ec2.running == [id_]
    assert state_of(ec2, ec2.machines[id_].request) == ("active", "fulfilled")


def test_spot_prices_are_those_of_the_market() -> None:
    ec2 = account(market=Market(prices={OTHER_POOL: 0.5}))

    [page] = ec2.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=["c7i.large"], ProductDescriptions=["Linux/UNIX"], StartTime=ec2.now
    )

    assert [(each["AvailabilityZone"], each["SpotPrice"]) for each in page["SpotPriceHistory"]] == [
        ("us-east-1a", "0.030000"),
        ("us-east-1b", "0.500000"),
    ]
