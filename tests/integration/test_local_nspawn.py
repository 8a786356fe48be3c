"""Instances that are an image's root in a container: their network, their life, their end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import debian
from integration.local_ec2 import Server, serving
from integration.machine_image import add_to, seen
from local.images import ImageStore
from waiting import until

pytestmark = pytest.mark.skipif(bool(debian.missing()), reason=debian.missing())

TAGLESS: list[dict[str, str]] = []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("nspawn")
    image = add_to(ImageStore(folder / "images"), folder / "volume")
    with serving(folder, options=["--body", "nspawn"]) as running:
        assert running.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available"
        running.image = image
        yield running
    assert debian.left_in(folder) == []


def test_a_machine_finds_its_metadata_and_the_local_cloud_and_nothing_else(server: Server) -> None:
    name = server.run(tags=TAGLESS)["InstanceId"]
    told = seen(server, name)
    assert told["user_data"] == "job=j\ndo=sleep\n"
    assert told["without_token"] == 401
    assert told["instance"] == name
    assert told["cloud"] == [200, '{"ready": true}']
    assert told["outside"] == "Network is unreachable"
    assert told["environment"]["AWS_ENDPOINT_URL_EC2"].startswith("http://169.254.1.1:")
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & set(told["environment"])
    server.ec2.terminate_instances(InstanceIds=[name])
    assert debian.left_in(server.path(name)) == []
    assert server.state(name) == "shutting-down"
    server.wait(name, "terminated")
    assert server.ec2.get_console_output(InstanceId=name)["Output"]
    assert not server.path(name, "upper").exists()


def test_a_machine_that_powers_off_is_terminated(server: Server) -> None:
    name = server.run("poweroff")["InstanceId"]
    server.wait(name, "terminated", seconds=60)
    assert server.instance(name)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert seen(server, name)["boots"] == "x"


def test_a_machine_that_stopped_itself_starts_again_with_its_disk(server: Server) -> None:
    stop = {"kind": "persistent", "InstanceInitiatedShutdownBehavior": "stop"}
    name = server.run("poweroff", **stop)["InstanceId"]
    server.wait(name, "stopped", seconds=60)
    server.ec2.start_instances(InstanceIds=[name])
    assert seen(server, name, boot=2)["boots"] == "xx"
    server.wait(name, "stopped", seconds=60)
    request = server.instance(name)["SpotInstanceRequestId"]
    server.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
    server.wait(name, "terminated")


def test_a_persistent_request_launches_again_until_it_is_cancelled(server: Server) -> None:
    instance = server.run("poweroff", kind="persistent")
    request = instance["SpotInstanceRequestId"]
    second = server.replacement(request, of=instance["InstanceId"])
    assert seen(server, second)["instance"] == second
    server.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
    server.wait(second, "terminated", seconds=60)


def test_a_spot_notice_reaches_the_machine(server: Server) -> None:
    name = server.run("poweroff-on-notice", kind="one-time")["InstanceId"]
    seen(server, name)
    assert server.reclaim({"instance": name, "notice": 120})[0] == 200
    server.wait(name, "terminated", seconds=60)
    assert server.instance(name)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_stop_lets_the_machines_services_end_in_order(server: Server) -> None:
    name = server.run()["InstanceId"]
    seen(server, name)
    server.ec2.stop_instances(InstanceIds=[name])
    server.wait(name, "stopped", seconds=60)
    assert "told to end" in server.ec2.get_console_output(InstanceId=name)["Output"]
    server.ec2.terminate_instances(InstanceIds=[name])


def test_machines_of_one_image_run_side_by_side_and_each_writes_its_own_disk(
    server: Server,
) -> None:
    names = [server.run()["InstanceId"] for _ in range(3)]
    told = [seen(server, name) for name in names]
    assert [one["instance"] for one in told] == names
    assert [one["boots"] for one in told] == ["x", "x", "x"]
    server.ec2.terminate_instances(InstanceIds=names)


def test_an_image_that_was_not_built_here_cannot_be_booted(server: Server) -> None:
    name = server.run(ImageId="ami-0badbadbadbadbad0")["InstanceId"]
    server.wait(name, "terminated")
    assert server.instance(name)["StateReason"]["Code"] == "Server.InternalError"
    log = server.folder / "ec2.log"
    until(lambda: "no image ami-0badbadbadbadbad0" in log.read_text(), seconds=60, what="the log")


def test_a_killed_ec2_leaves_no_machine_no_mount_and_no_process(tmp_path: Path) -> None:
    image = add_to(ImageStore(tmp_path / "images"), tmp_path / "volume")
    server = Server(tmp_path, options=["--body", "nspawn"])
    server.image = image
    seen(server, server.run()["InstanceId"])
    server.process.kill()
    until(lambda: not debian.left_in(tmp_path), seconds=60, what="all of it ends")
    server.end()
