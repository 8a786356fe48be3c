"""What instances of the local EC2 are told: their metadata, and that EC2 takes them back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import pytest
from botocore.credentials import InstanceMetadataProvider
from botocore.utils import InstanceMetadataFetcher

from integration.local_ec2 import Server, alive, serving
from waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("body")) as running:
        yield running


def test_a_metadata_service_that_is_turned_off_forbids_everything(server: Server) -> None:
    name = server.run(MetadataOptions={"HttpEndpoint": "disabled"})["InstanceId"]
    assert server.booted(name)["status"] == 403
    assert server.imds(name, "latest/user-data")[0] == 403


def test_defect_15_the_metadata_wants_a_token(server: Server) -> None:
    name = server.run()["InstanceId"]
    path = "latest/meta-data/instance-id"
    assert server.imds(name, path)[0] == 200
    assert server.imds(name, path, token="")[0] == 401
    assert server.imds(name, path, token="wrong")[0] == 401
    life = "X-aws-ec2-metadata-token-ttl-seconds"
    assert server.imds(name, "latest/api/token", method="PUT")[0] == 400
    assert server.imds(name, "latest/api/token", method="PUT", **{life: "21601"})[0] == 400
    status, token = server.imds(name, "latest/api/token", method="PUT", **{life: "4"})
    assert status == 200
    assert server.imds(name, path, token=token) == (200, name)
    until(lambda: server.imds(name, path, token=token)[0] == 401, seconds=60, what="it runs out")


def test_the_metadata_says_what_the_instance_is(server: Server) -> None:
    instance = server.run(kind="one-time", IamInstanceProfile={"Name": "parallelizer-worker"})
    name = instance["InstanceId"]
    told = {
        "meta-data/instance-id": name,
        "meta-data/instance-type": "c5.large",
        "meta-data/instance-life-cycle": "spot",
        "meta-data/ami-id": "ami-local",
        "meta-data/placement/region": "us-east-1",
        "meta-data/placement/availability-zone": instance["Placement"]["AvailabilityZone"],
        "meta-data/iam/security-credentials/": "parallelizer-worker",
        "user-data": "job=j\ndo=sleep\n",
    }
    for path, text in told.items():
        assert server.imds(name, f"latest/{path}") == (200, text), path
    for path in ("spot/instance-action", "events/recommendations/rebalance"):
        assert server.imds(name, f"latest/meta-data/{path}")[0] == 404, path
    document = json.loads(server.imds(name, "latest/dynamic/instance-identity/document")[1])
    assert (document["instanceId"], document["region"]) == (name, "us-east-1")


def test_an_instance_without_user_data_or_profile_has_none(server: Server) -> None:
    name = server.run(UserData="")["InstanceId"]
    assert server.imds(name, "latest/user-data")[0] == 404
    assert server.imds(name, "latest/meta-data/iam/security-credentials/")[0] == 404


def test_botocore_finds_the_instances_credentials(server: Server) -> None:
    name = server.run(IamInstanceProfile={"Arn": "arn:aws:iam::000000000000:instance-profile/w"})
    url = server.booted(name["InstanceId"])["environment"]["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    fetcher = InstanceMetadataFetcher(timeout=5, num_attempts=1, base_url=url)
    found = InstanceMetadataProvider(iam_role_fetcher=fetcher).load()
    assert found is not None
    assert found.access_key == "test"


@pytest.mark.parametrize(("kind", "after"), [("one-time", "closed"), ("persistent", "open")])
def test_a_reclaim_gives_notice_and_then_ends_the_machine(
    server: Server, kind: str, after: str
) -> None:
    instance = server.run(kind=kind)
    name, request = instance["InstanceId"], instance["SpotInstanceRequestId"]
    pids = server.pids(name)
    status, text = server.reclaim({"instance": name, "notice": 6})
    assert status == 200, text
    action = json.loads(server.imds(name, "latest/meta-data/spot/instance-action")[1])
    assert action == {"action": "terminate", "time": json.loads(text)["ends"]}
    assert datetime.fromisoformat(action["time"]).tzinfo is not None
    assert server.status(request) == ("active", "marked-for-termination")
    assert all(alive(pid) for pid in pids)
    until(lambda: server.status(request)[1] != "marked-for-termination", seconds=60)
    assert [pid for pid in pids if alive(pid)] == []
    assert server.instance(name)["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    if after == "closed":
        assert server.status(request) == ("closed", "instance-terminated-no-capacity")
    else:
        server.booted(server.replacement(request, of=name))


def test_an_advice_to_leave_shows_in_the_metadata_and_ends_nothing(server: Server) -> None:
    spot, on_demand = server.run(kind="one-time")["InstanceId"], server.run()["InstanceId"]
    pids = server.pids(spot)
    status, text = server.advise({"instance": spot})
    assert status == 200, text
    advice = server.imds(spot, "latest/meta-data/events/recommendations/rebalance")
    assert advice == (200, json.dumps({"noticeTime": json.loads(text)["advised"]}))
    assert server.imds(spot, "latest/meta-data/spot/instance-action")[0] == 404
    assert all(alive(pid) for pid in pids)
    status, text = server.advise({"instance": on_demand})
    assert (status, json.loads(text)["Code"]) == (400, "UnsupportedOperation")


def test_a_reclaim_that_cannot_be_says_why(server: Server) -> None:
    spot, on_demand = server.run(kind="one-time")["InstanceId"], server.run()["InstanceId"]
    ended = server.run(kind="one-time")["InstanceId"]
    server.ec2.terminate_instances(InstanceIds=[ended])
    wrong = [
        ({"instance": "i-none", "notice": 1}, "InvalidInstanceID.NotFound"),
        ({"instance": ended, "notice": 1}, "IncorrectInstanceState"),
        ({"instance": on_demand, "notice": 1}, "UnsupportedOperation"),
        ({"instance": spot, "notice": -1}, "InvalidParameterValue"),
        ({"instance": spot, "notice": "soon"}, "InvalidParameterValue"),
        ({"notice": 1}, "InvalidParameterValue"),
        ([], "InvalidParameterValue"),
    ]
    for body, code in wrong:
        status, text = server.reclaim(body)
        assert (status, json.loads(text)["Code"]) == (400, code), body
        assert json.loads(text)["Message"]
    assert server.imds(spot, "latest/meta-data/spot/instance-action")[0] == 404
