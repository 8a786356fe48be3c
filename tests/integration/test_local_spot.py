"""Spot requests of the local EC2, seen through plain boto3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from integration.local_ec2 import MARK, Server, encoded, serving
from waiting import until

PLAIN: list[dict[str, str]] = []  # no tag of ours: rows without bodies
RUNS_ON = ("cancelled", "request-canceled-and-instance-running")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("spot")) as running:
        yield running


def test_a_spot_instance_of_run_instances_has_a_described_request(server: Server) -> None:
    instance = server.run(
        kind="persistent",
        tags=[{"ResourceType": "spot-instances-request", "Tags": MARK}],
        InstanceMarketOptions={
            "MarketType": "spot",
            "SpotOptions": {"SpotInstanceType": "persistent", "MaxPrice": "0.05"},
        },
    )
    assert instance["InstanceLifecycle"] == "spot"
    request = server.request(instance["SpotInstanceRequestId"])
    assert request["InstanceId"] == instance["InstanceId"]
    assert request["Type"] == "persistent"
    assert (request["State"], request["Status"]["Code"]) == ("active", "fulfilled")
    assert request["Tags"] == MARK
    assert request["SpotPrice"] == "0.050000"
    assert request["CreateTime"].tzinfo is not None
    assert request["LaunchSpecification"]["InstanceType"] == "c5.large"


def test_request_spot_instances_makes_requests_with_instances(server: Server) -> None:
    answer = server.ec2.request_spot_instances(
        InstanceCount=2,
        Type="persistent",
        SpotPrice="0.03",
        LaunchSpecification={
            "ImageId": "ami-local",
            "InstanceType": "m5.large",
            "UserData": encoded("x"),
        },
        TagSpecifications=[{"ResourceType": "spot-instances-request", "Tags": MARK}],
    )
    ids = [one["SpotInstanceRequestId"] for one in answer["SpotInstanceRequests"]]
    assert len(set(ids)) == 2
    for name in ids:
        request = server.request(name)
        assert (request["Type"], request["State"]) == ("persistent", "active")
        assert request["SpotPrice"] == "0.030000"
        instance = server.instance(request["InstanceId"])
        assert instance["SpotInstanceRequestId"] == name
        assert instance["InstanceType"] == "m5.large"
        assert "Tags" not in instance


def test_an_ended_one_time_instance_closes_its_request(server: Server) -> None:
    instance = server.run(kind="one-time", tags=PLAIN)
    server.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    request = instance["SpotInstanceRequestId"]
    assert server.status(request) == ("closed", "instance-terminated-by-user")


def test_a_one_time_spot_instance_cannot_be_stopped(server: Server) -> None:
    instance = server.run(kind="one-time", tags=PLAIN)
    with pytest.raises(ClientError, match="one-time") as refused:
        server.ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    assert refused.value.response["Error"]["Code"] == "UnsupportedOperation"


def test_defect_18_a_persistent_request_launches_again_until_it_is_cancelled(
    server: Server,
) -> None:
    first = server.run(
        kind="persistent",
        tags=[{"ResourceType": "instance", "Tags": [{"Key": "colour", "Value": "red"}]}],
    )
    request = first["SpotInstanceRequestId"]
    server.ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    assert server.status(request) == ("open", "pending-evaluation")
    second = server.replacement(request, of=first["InstanceId"])
    replacement = server.instance(second)
    assert replacement["SpotInstanceRequestId"] == request
    assert replacement["InstanceType"] == "c5.large"
    assert "Tags" not in replacement, "EC2 does not copy the first instance's tags"
    assert server.status(request) == ("active", "fulfilled")

    server.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
    assert server.status(request) == RUNS_ON
    server.wait(second, "running")
    server.ec2.terminate_instances(InstanceIds=[second])
    server.wait(second, "terminated")
    later = server.run(kind="persistent", tags=PLAIN)
    server.ec2.terminate_instances(InstanceIds=[later["InstanceId"]])
    server.replacement(later["SpotInstanceRequestId"], of=later["InstanceId"])
    assert server.request(request)["InstanceId"] == second, "the cancelled one launched nothing"
    assert server.status(request) == ("cancelled", "instance-terminated-by-user")


def test_a_second_cancel_is_harmless(server: Server) -> None:
    request = server.run(kind="persistent", tags=PLAIN)["SpotInstanceRequestId"]
    for _ in range(2):
        answer = server.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
        assert answer["CancelledSpotInstanceRequests"] == [
            {"SpotInstanceRequestId": request, "State": "cancelled"}
        ]
    assert server.status(request) == RUNS_ON


def test_the_cancel_of_an_open_request_ends_it_before_fulfilment(server: Server) -> None:
    instance = server.run(kind="persistent", tags=PLAIN)
    request = instance["SpotInstanceRequestId"]
    server.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    server.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
    assert server.status(request) == ("cancelled", "canceled-before-fulfillment")


def test_unknown_requests_are_not_found_and_nothing_is_cancelled(server: Server) -> None:
    request = server.run(kind="persistent", tags=PLAIN)["SpotInstanceRequestId"]
    with pytest.raises(ClientError) as cancel:
        server.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request, "sir-none"])
    with pytest.raises(ClientError) as describe:
        server.request("sir-none")
    for refused in (cancel, describe):
        code = refused.value.response["Error"]["Code"]
        assert code == "InvalidSpotInstanceRequestID.NotFound"
    assert server.status(request)[0] == "active"


def test_a_stopped_persistent_instance_is_started_again(server: Server) -> None:
    instance = server.run(kind="persistent", tags=PLAIN)
    name, request = instance["InstanceId"], instance["SpotInstanceRequestId"]
    server.ec2.stop_instances(InstanceIds=[name])
    server.wait(name, "stopped")
    assert server.status(request) == ("disabled", "instance-stopped-by-user")
    server.ec2.start_instances(InstanceIds=[name])
    server.wait(name, "running")
    assert server.status(request) == ("active", "fulfilled")


def test_the_cancel_of_a_disabled_request_terminates_the_stopped_instance(
    server: Server,
) -> None:
    instance = server.run(kind="persistent", tags=PLAIN)
    name, request = instance["InstanceId"], instance["SpotInstanceRequestId"]
    server.ec2.stop_instances(InstanceIds=[name])
    server.wait(name, "stopped")
    server.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
    server.wait(name, "terminated")
    assert server.status(request) == ("cancelled", "instance-terminated-by-user")


def test_what_ec2_stopped_is_started_by_ec2_alone(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, relaunch_seconds=3) as own:
        options = {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "stop"}
        instance = own.run(
            tags=PLAIN, InstanceMarketOptions={"MarketType": "spot", "SpotOptions": options}
        )
        name, request = instance["InstanceId"], instance["SpotInstanceRequestId"]
        assert own.reclaim({"instance": name, "notice": 0})[0] == 200
        own.wait(name, "stopped")
        assert own.status(request) == ("disabled", "instance-stopped-no-capacity")
        with pytest.raises(ClientError, match="IncorrectSpotRequestState"):
            own.ec2.start_instances(InstanceIds=[name])
        own.wait(name, "running")
        assert own.status(request) == ("active", "fulfilled")


def test_every_filter_that_matters_finds_the_request(server: Server) -> None:
    tag = [{"Key": "shade", "Value": "dark green"}]
    instance = server.run(
        kind="persistent", tags=[{"ResourceType": "spot-instances-request", "Tags": tag}]
    )
    request = instance["SpotInstanceRequestId"]
    only = {
        "instance-id": instance["InstanceId"],
        "spot-instance-request-id": request,
        "tag:shade": "dark*",
        "tag-key": "shade",
    }
    for name, value in only.items():
        assert found(server, **{name: value}) == [request], name
    for name, value in {
        "state": "active",
        "status-code": "fulfilled",
        "type": "persistent",
    }.items():
        assert request in found(server, **{name: value}), name
    assert request not in found(server, type="one-time")
    assert found(server, **{"tag-key": "shade", "state": "open"}) == []
    with pytest.raises(ClientError, match="nonsense"):
        found(server, nonsense="x")


def test_requests_are_paged(server: Server) -> None:
    for _ in range(6):
        server.run(kind="one-time", tags=PLAIN)
    pages = list(
        server.ec2.get_paginator("describe_spot_instance_requests").paginate(
            PaginationConfig={"PageSize": 5}
        )
    )
    ids = [one["SpotInstanceRequestId"] for page in pages for one in page["SpotInstanceRequests"]]
    assert len(pages) > 1
    assert all(len(page["SpotInstanceRequests"]) <= 5 for page in pages)
    assert sorted(ids) == sorted(found(server))


def test_tags_put_on_a_request_later_are_seen(server: Server) -> None:
    request = server.run(kind="one-time", tags=PLAIN)["SpotInstanceRequestId"]
    server.ec2.create_tags(Resources=[request], Tags=[{"Key": "late", "Value": "1"}])
    assert found(server, **{"tag:late": "1"}) == [request]


def test_instances_are_found_by_what_moto_does_not_filter(server: Server) -> None:
    instance = server.run(kind="one-time", tags=PLAIN, ClientToken="token-of-mine")
    name = instance["InstanceId"]
    for key, value in {
        "client-token": "token-of-mine",
        "spot-instance-request-id": instance["SpotInstanceRequestId"],
    }.items():
        assert [one["InstanceId"] for one in instances(server, **{key: value})] == [name], key
    assert name in [
        one["InstanceId"] for one in instances(server, **{"instance-lifecycle": "spot"})
    ]
    on_demand = server.run(tags=PLAIN)["InstanceId"]
    spot = [one["InstanceId"] for one in instances(server, **{"instance-lifecycle": "spot"})]
    assert on_demand not in spot
    with pytest.raises(ClientError) as refused:
        instances(server, nonsense="x")
    assert refused.value.response["Error"]["Code"] == "UnsupportedOperation"


def found(server: Server, **filters: str) -> list[str]:
    answer = server.ec2.describe_spot_instance_requests(
        Filters=[{"Name": name, "Values": [value]} for name, value in filters.items()]
    )
    return [one["SpotInstanceRequestId"] for one in answer["SpotInstanceRequests"]]


def instances(server: Server, **filters: str) -> list[dict[str, object]]:
    answer = server.ec2.describe_instances(
        Filters=[{"Name": name, "Values": [value]} for name, value in filters.items()]
    )
    return [one for group in answer["Reservations"] for one in group["Instances"]]


def test_ended_requests_stay_described(server: Server) -> None:
    instance = server.run(kind="one-time", tags=PLAIN)
    server.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    server.wait(instance["InstanceId"], "terminated")
    until(lambda: server.status(instance["SpotInstanceRequestId"])[0] == "closed", seconds=60)
    assert instance["SpotInstanceRequestId"] in found(server, state="closed")
