"""Instances that are an image's disk in an emulated machine. Slow: one boot has to tell it all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import debian
from integration.local_ec2 import Server, serving
from integration.machine_image import add_to, seen
from local.images import ImageStore

QEMU = {
    **debian.CONTAINERS,
    **debian.EMULATED,
    "debugfs": "e2fsprogs",
    "nsenter": "util-linux",
}

pytestmark = pytest.mark.skipif(bool(debian.missing(QEMU)), reason=debian.missing(QEMU))

BOOT_SECONDS = 600.0  # 15 where nothing else runs


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("qemu")
    image = add_to(ImageStore(folder / "images"), folder / "volume", gib=2)
    with serving(folder, options=["--body", "qemu"]) as running:
        running.image = image
        yield running
    assert debian.left_in(folder) == []


def test_a_machine_boots_as_on_ec2_stops_in_order_and_keeps_its_disk_until_it_is_terminated(
    server: Server,
) -> None:
    key = server.ec2.create_key_pair(KeyName="k")["KeyName"]
    name = server.run(KeyName=key, kind="persistent")["InstanceId"]
    told = seen(server, name, seconds=BOOT_SECONDS)
    assert told["user_data"] == "job=j\ndo=sleep\n"
    assert told["without_token"] == 401
    assert told["instance"] == name
    assert told["cloud"] == [200, '{"ready": true}']
    assert told["outside"] == "Network is unreachable"
    assert told["boots"] == "x"
    assert "net.ifnames=0" in told["kernel_arguments"]
    server.ec2.stop_instances(InstanceIds=[name])
    assert server.state(name) == "stopping"
    server.wait(name, "stopped", seconds=180)
    assert "told to end" in server.ec2.get_console_output(InstanceId=name)["Output"]
    assert debian.left_in(server.path(name)) == []
    assert server.path(name, "disk.qcow2").exists()
    request = server.instance(name)["SpotInstanceRequestId"]
    server.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
    server.wait(name, "terminated")
    assert not server.path(name, "disk.qcow2").exists()
