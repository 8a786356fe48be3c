"""The fake EC2's spot requests against what AWS documents:

- states and status codes:
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instances-request-status-lifecycle.html
- interruption, and who may start what it stopped:
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/interruption-behavior.html
- starting, stopping, terminating:
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances-request.html
- cancelling: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances-cancel.html
- a request is disabled when its instance has come to a halt; until then a start is refused:
  https://github.com/hashicorp/terraform-provider-aws/issues/33399
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import account, code_of, described, fleet_arguments, launched, persistent, state_of
from fakes.ec2 import FakeEc2
from local.spot import Cause

UNTIL_RELAUNCHED = 31
NOTICE = 120


def test_a_persistent_request_launches_again_without_tags_when_its_instance_has_ended() -> None:
    ec2 = account()
    first, request = persistent(ec2)

    ec2.terminate_instances(InstanceIds=[first])
    assert state_of(ec2, request) == ("open", "pending-evaluation")
    ec2.pass_time(UNTIL_RELAUNCHED)

    [second] = ec2.running
    assert state_of(ec2, request) == ("active", "fulfilled")
    [entry] = described(ec2, InstanceIds=[second])
    assert (entry["SpotInstanceRequestId"], entry["Tags"]) == (request, [])


def test_it_launches_again_only_when_there_is_capacity() -> None:
    ec2 = account()
    first, request = persistent(ec2)
    ec2.capacity = 0

    ec2.end(first)
    ec2.pass_time(600)
    assert state_of(ec2, request) == ("open", "capacity-not-available")
    ec2.capacity = 1
    ec2.pass_time(60)

    assert len(ec2.running) == 1


def test_a_one_time_request_is_closed_with_its_instance() -> None:
    ec2 = account()
    [id_] = launched(ec2.create_fleet(**fleet_arguments()))
    request = ec2.machines[id_].request

    ec2.end(id_)
    ec2.pass_time(600)

    assert state_of(ec2, request) == ("closed", "instance-terminated-no-capacity")
    assert ec2.running == []


def test_an_interruption_is_told_two_minutes_before() -> None:
    ec2 = account()
    id_, request = persistent(ec2)

    ec2.interrupt(id_)
    assert state_of(ec2, request) == ("active", "marked-for-termination")
    ec2.pass_time(NOTICE - 1)
    assert ec2.running == [id_]
    ec2.pass_time(1)

    assert state_of(ec2, request) == ("open", "instance-terminated-no-capacity")


def test_an_interruption_without_notice_ends_the_instance_at_once() -> None:
    ec2 = account()
    [id_] = launched(ec2.create_fleet(**fleet_arguments()))

    ec2.interrupt(id_, notice=False)

    assert ec2.running == []


def stopped_by_ec2(ec2: FakeEc2) -> tuple[str, str]:
    id_, request = persistent(ec2, behavior="stop")
    ec2.capacity = 0
    ec2.interrupt(id_)
    assert state_of(ec2, request) == ("active", "marked-for-stop")
    ec2.pass_time(NOTICE)
    return id_, request


def test_an_interrupted_instance_that_stops_is_started_again_by_ec2_alone() -> None:
    ec2 = account()
    id_, request = stopped_by_ec2(ec2)
    assert state_of(ec2, request) == ("disabled", "instance-stopped-no-capacity")
    ec2.pass_time(600)
    assert ec2.running == []
    assert code_of(ec2.start_instances, InstanceIds=[id_]) == "IncorrectSpotRequestState"

    ec2.capacity = 1
    ec2.pass_time(60)

    assert ec2.running == [id_]
    assert state_of(ec2, request) == ("active", "fulfilled")


def test_an_instance_that_a_user_stopped_waits_for_its_user() -> None:
    ec2 = account()
    id_, request = persistent(ec2)

    ec2.stop_instances(InstanceIds=[id_])
    ec2.pass_time(3600)
    assert state_of(ec2, request) == ("disabled", "instance-stopped-by-user")
    ec2.start_instances(InstanceIds=[id_])

    assert ec2.running == [id_]
    assert state_of(ec2, request) == ("active", "fulfilled")


def test_a_request_is_disabled_only_when_its_instance_has_come_to_a_halt() -> None:
    ec2 = account(stops_after=timedelta(seconds=40))
    id_, request = persistent(ec2)

    ec2.stop_instances(InstanceIds=[id_])
    assert state_of(ec2, request) == ("active", "marked-for-stop")
    assert code_of(ec2.start_instances, InstanceIds=[id_]) == "IncorrectInstanceState"
    ec2.pass_time(40)

    assert state_of(ec2, request) == ("disabled", "instance-stopped-by-user")


def test_a_start_without_capacity_is_refused_and_changes_nothing() -> None:
    ec2 = account()
    id_, request = persistent(ec2)
    ec2.stop_instances(InstanceIds=[id_])
    ec2.capacity = 0

    assert code_of(ec2.start_instances, InstanceIds=[id_]) == "InsufficientInstanceCapacity"
    assert state_of(ec2, request) == ("disabled", "instance-stopped-by-user")


def test_a_started_instance_counts_its_age_anew() -> None:
    ec2 = account()
    id_, _ = persistent(ec2)
    ec2.stop_instances(InstanceIds=[id_])
    ec2.pass_time(600)

    ec2.start_instances(InstanceIds=[id_])

    [entry] = described(ec2, InstanceIds=[id_])
    assert entry["LaunchTime"] == ec2.now


def test_an_instance_of_a_one_time_request_cannot_be_stopped() -> None:
    ec2 = account()
    [id_] = launched(ec2.create_fleet(**fleet_arguments()))

    assert code_of(ec2.stop_instances, InstanceIds=[id_]) == "UnsupportedOperation"
    assert ec2.running == [id_]


def test_an_ended_instance_can_neither_be_started_nor_stopped() -> None:
    ec2 = account()
    id_, _ = persistent(ec2)
    ec2.end(id_)

    assert code_of(ec2.start_instances, InstanceIds=[id_]) == "IncorrectInstanceState"
    assert code_of(ec2.stop_instances, InstanceIds=[id_]) == "IncorrectInstanceState"


def test_cancelling_an_active_request_leaves_its_instance_running_and_never_relaunches() -> None:
    ec2 = account()
    id_, request = persistent(ec2)

    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
    assert state_of(ec2, request) == ("cancelled", "request-canceled-and-instance-running")
    assert ec2.running == [id_]
    ec2.terminate_instances(InstanceIds=[id_])
    ec2.pass_time(3600)

    assert len(ec2.machines) == 1


@pytest.mark.parametrize("cause", [Cause.BY_USER, Cause.RECLAIMED])
def test_cancelling_a_disabled_request_terminates_its_stopped_instance(cause: Cause) -> None:
    ec2 = account()
    id_, request = persistent(ec2, behavior="stop")
    ec2.stop(id_, cause=cause)

    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])

    assert ec2.machines[id_].state == "terminated"
    assert state_of(ec2, request)[0] == "cancelled"


def test_cancelling_an_open_request_ends_it_and_a_second_cancel_changes_nothing() -> None:
    ec2 = account()
    id_, request = persistent(ec2)
    ec2.end(id_)

    for _ in range(2):
        ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
        ec2.pass_time(60)

    assert state_of(ec2, request) == ("cancelled", "canceled-before-fulfillment")
    assert ec2.running == []


def test_of_several_requests_none_is_cancelled_where_one_is_unknown() -> None:
    ec2 = account()
    _, request = persistent(ec2)

    named = {"SpotInstanceRequestIds": [request, "sir-unknown"]}
    assert (
        code_of(ec2.cancel_spot_instance_requests, **named)
        == "InvalidSpotInstanceRequestID.NotFound"
    )
    assert state_of(ec2, request)[0] == "active"


def test_a_cancelled_request_is_forgotten_some_hours_later() -> None:
    ec2 = account()
    _, request = persistent(ec2)
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])

    ec2.pass_time(5 * 3600)

    asked = {"SpotInstanceRequestIds": [request]}
    assert (
        code_of(ec2.describe_spot_instance_requests, **asked)
        == "InvalidSpotInstanceRequestID.NotFound"
    )
    assert ec2.describe_spot_instance_requests()["SpotInstanceRequests"] == []


def test_a_request_says_since_when_it_is_in_its_status() -> None:
    ec2 = account()
    id_, request = persistent(ec2)
    ec2.pass_time(100)
    ec2.end(id_)
    ended = ec2.now
    ec2.pass_time(10)

    answer = ec2.describe_spot_instance_requests(Filters=[{"Name": "state", "Values": ["open"]}])

    [entry] = answer["SpotInstanceRequests"]
    assert entry["Status"]["UpdateTime"] == ended
    assert "InstanceId" not in entry
    assert entry["SpotInstanceRequestId"] == request
