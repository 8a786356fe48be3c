"""What the fake EC2 shows, late and page by page, and what it refuses to end, against what AWS
documents:

- eventual consistency: https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
- ended instances are shown for an hour; protection by zone; one wrong id spoils the call:
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
- pages: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
"""

from __future__ import annotations

from datetime import timedelta

from accounts import (
    MINE,
    OTHER_POOL,
    POOL,
    account,
    code_of,
    described,
    fleet_arguments,
    launched,
    persistent,
    tags,
)
from fakes.ec2 import Market


def test_a_launch_is_shown_neither_by_tag_nor_by_id_for_a_while() -> None:
    ec2 = account(shows_after=timedelta(seconds=90))
    [id_] = launched(ec2.create_fleet(**fleet_arguments()))
    mine = [{"Name": "tag:owner", "Values": ["me"]}]

    ec2.pass_time(89)
    assert described(ec2, Filters=mine) == []
    assert code_of(ec2.describe_instances, InstanceIds=[id_]) == "InvalidInstanceID.NotFound"
    assert code_of(ec2.terminate_instances, InstanceIds=[id_]) == "InvalidInstanceID.NotFound"
    assert (
        code_of(ec2.create_tags, Resources=[id_], Tags=tags(MINE)) == "InvalidInstanceID.NotFound"
    )
    ec2.pass_time(1)

    assert [each["InstanceId"] for each in described(ec2, Filters=mine)] == [id_]


def test_a_spot_request_may_be_shown_late_too() -> None:
    ec2 = account(requests_show_after=timedelta(seconds=30))
    _, request = persistent(ec2)
    asked = {"SpotInstanceRequestIds": [request]}

    assert ec2.describe_spot_instance_requests()["SpotInstanceRequests"] == []
    assert (
        code_of(ec2.describe_spot_instance_requests, **asked)
        == "InvalidSpotInstanceRequestID.NotFound"
    )
    ec2.pass_time(30)

    assert len(ec2.describe_spot_instance_requests(**asked)["SpotInstanceRequests"]) == 1


def test_an_ended_instance_is_shown_for_an_hour() -> None:
    ec2 = account()
    [id_] = launched(ec2.create_fleet(**fleet_arguments()))
    ec2.terminate_instances(InstanceIds=[id_])

    ec2.pass_time(3600)
    [entry] = described(ec2)
    assert entry["State"]["Name"] == "terminated"
    ec2.pass_time(1)

    assert described(ec2) == []


def test_terminating_twice_succeeds_twice() -> None:
    ec2 = account()
    [id_] = launched(ec2.create_fleet(**fleet_arguments()))

    for _ in range(2):
        ec2.terminate_instances(InstanceIds=[id_])

    assert ec2.machines[id_].state == "terminated"


def test_an_instance_may_be_shutting_down_for_an_hour() -> None:
    ec2 = account(ends_after=timedelta(seconds=30))
    slow, quick = launched(ec2.create_fleet(**fleet_arguments(count=2)))
    ec2.lingering = {slow}
    ec2.terminate_instances(InstanceIds=[slow, quick])

    states = []
    for seconds in (0, 30, 3600):
        ec2.pass_time(seconds)
        states.append((ec2.machines[slow].state, ec2.machines[quick].state))

    assert states == [
        ("shutting-down", "shutting-down"),
        ("shutting-down", "terminated"),
        ("terminated", "terminated"),
    ]


def test_a_protected_instance_keeps_those_of_its_zone_and_no_others() -> None:
    ec2 = account(market=Market(pools={POOL: 2}))
    here = launched(ec2.create_fleet(**fleet_arguments(POOL, count=2)))
    elsewhere = launched(ec2.create_fleet(**fleet_arguments(OTHER_POOL)))
    ec2.protected = {here[0]}

    named = [*here, *elsewhere]
    assert code_of(ec2.terminate_instances, InstanceIds=named) == "OperationNotPermitted"

    assert ec2.running == here


def test_of_several_instances_none_is_terminated_where_one_is_unknown() -> None:
    ec2 = account()
    [id_] = launched(ec2.create_fleet(**fleet_arguments()))

    named = [id_, "i-unknown"]
    assert code_of(ec2.terminate_instances, InstanceIds=named) == "InvalidInstanceID.NotFound"

    assert ec2.running == [id_]


def test_a_long_list_comes_in_pages_and_each_page_is_a_call() -> None:
    ec2 = account(page_size=3)
    ids = launched(ec2.create_fleet(**fleet_arguments(count=7)))

    shown = [each["InstanceId"] for each in described(ec2)]

    assert shown == ids
    assert len(ec2.made("describe_instances")) == 3


def test_filters_are_all_to_be_met_each_by_one_of_its_values() -> None:
    ec2 = account()
    [mine] = launched(ec2.create_fleet(**fleet_arguments()))
    ec2.stranger(owner="you")
    ec2.stranger()

    def found(**filters: list[str]) -> list[str]:
        given = [{"Name": name, "Values": values} for name, values in filters.items()]
        return [each["InstanceId"] for each in described(ec2, Filters=given)]

    assert found(**{"tag:owner": ["me"], "instance-state-name": ["pending", "running"]}) == [mine]
    assert found(**{"tag:owner": ["me"], "instance-state-name": ["stopped"]}) == []
    assert found(**{"instance-lifecycle": ["spot"]}) == [mine]
