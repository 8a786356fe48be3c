"""The builder: an instance of Debian's image, to which its owner may log in, and what is made of
it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

import debian
from emulator import CREDENTIALS, free_port
from integration.local_ec2 import Server, serving
from local import overlays, roots
from local.images import ImageStore
from waiting import until

pytestmark = pytest.mark.skipif(bool(debian.missing()), reason=debian.missing())

RELEASE = "13"
BUILDER = Path(__file__).parents[2] / "packer" / "builder.cloud-config"


class Site:
    """A local EC2 with Debian's image, and a key pair."""

    def __init__(self, server: Server, ssh_port: int) -> None:
        self.server = server
        self.ec2 = server.ec2
        self.ssh_port = ssh_port
        self.key = server.folder / "key"
        self.key.touch(mode=0o600)
        self.key.write_text(self.ec2.create_key_pair(KeyName="k")["KeyMaterial"])
        filters = [{"Name": "name", "Values": [f"debian-{RELEASE}-amd64-*"]}]
        [self.image] = self.ec2.describe_images(Owners=["136693071363"], Filters=filters)["Images"]

    def run(self, **more: Any) -> str:
        """A builder that answers to ssh; its id."""
        name: str = self.server.run(
            ImageId=self.image["ImageId"], KeyName="k", tags=[], UserData="", **more
        )["InstanceId"]
        until(lambda: self.ssh("true").returncode == 0, seconds=60, what="sshd answers")
        return name

    def ssh(self, command: str) -> subprocess.CompletedProcess[str]:
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=5"]
        return subprocess.run(
            ["ssh", "-q", *(f"-o{option}" for option in options), "-i", self.key,
             "-p", str(self.ssh_port), "admin@127.0.0.1", command],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def stop(self, name: str) -> None:
        self.ec2.stop_instances(InstanceIds=[name])
        assert self.server.state(name) == "stopping", "it is down only when it is down"
        self.server.wait(name, "stopped", seconds=60)

    def imaged(self, name: str, **more: Any) -> dict[str, Any]:
        """The image of a stopped instance, when it has left `pending`."""
        image: str = self.ec2.create_image(InstanceId=name, Name="probe", **more)["ImageId"]
        assert self.described(image)["State"] == "pending"
        ended = lambda: self.described(image)["State"] != "pending"  # noqa: E731
        until(ended, seconds=120, what="the image is made")
        return self.described(image)

    def described(self, image: str) -> dict[str, Any]:
        return dict(self.ec2.describe_images(ImageIds=[image])["Images"][0])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("builder")
    roots.base(RELEASE)
    port = free_port()
    options = ["--release", RELEASE, "--ssh-port", str(port)]
    with serving(folder, options=options) as server:
        yield Site(server, port)
    assert debian.left_in(folder) == []


def test_what_a_builder_wrote_is_in_the_image_its_disk_and_its_copies(
    site: Site, tmp_path: Path
) -> None:
    disk = {"VolumeSize": 4, "Encrypted": True, "VolumeType": "gp3"}
    name = site.run(
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": disk}],
        MetadataOptions={"HttpTokens": "required"},
    )
    assert site.ssh("systemctl is-system-running --wait").stdout == "running\n"
    assert site.ssh("sudo -n touch /etc/probe && sudo -n rm /etc/fstab").returncode == 0
    site.stop(name)
    tags = [
        {"ResourceType": kind, "Tags": [{"Key": "kind", "Value": kind}]}
        for kind in ("image", "snapshot")
    ]
    image = site.imaged(name, TagSpecifications=tags)
    assert image["State"] == "available"
    assert image["Tags"] == [{"Key": "kind", "Value": "image"}]
    [mapping] = image["BlockDeviceMappings"]
    assert (mapping["Ebs"]["Encrypted"], mapping["Ebs"]["VolumeSize"]) == (True, 4)
    there = boto3.client(
        "ec2", endpoint_url=site.server.endpoint, region_name="eu-west-1",
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"], aws_secret_access_key="x",
    )  # fmt: skip
    copy = there.copy_image(
        SourceImageId=image["ImageId"], SourceRegion="us-east-1", Name="copy", Encrypted=True
    )["ImageId"]
    store = ImageStore(site.server.folder / "images")
    first, second = (store.find(one) for one in (image["ImageId"], copy))
    assert first is not None
    assert second is not None
    assert (second.region, store.disk(second)) == ("eu-west-1", store.disk(first))
    site.ec2.deregister_image(ImageId=image["ImageId"])
    assert store.find(image["ImageId"]) is None
    with overlays.mounted(store.layers(second), tmp_path) as root:
        assert (root / "etc/probe").exists()
        assert not (root / "etc/fstab").exists()
        assert not (root / "run/first-boot").exists()
    listed = subprocess.run(
        ["debugfs", "-R", "ls /etc", store.disk(second)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "probe" in listed
    assert "fstab" not in listed
    assert "System Halt" in site.ec2.get_console_output(InstanceId=name)["Output"]
    asked = site.server.calls("RunInstances")[-1]
    assert asked["MetadataOptions"] == {"HttpTokens": "required"}
    assert asked["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    there.deregister_image(ImageId=copy)
    assert store.images() == []
    assert list((site.server.folder / "images").iterdir()) == []
    site.ec2.terminate_instances(InstanceIds=[name])


def test_terminate_ends_a_builder_at_once_and_leaves_nothing_of_it(site: Site) -> None:
    name = site.run()
    folder = site.server.path(name)
    begun = time.monotonic()
    site.ec2.terminate_instances(InstanceIds=[name])
    assert debian.left_in(folder) == []
    assert site.server.state(name) == "shutting-down"
    site.server.wait(name, "terminated")
    assert sorted(one.name for one in folder.iterdir()) == ["console.log", "first-boot"]
    assert time.monotonic() - begun < 60


def test_a_builder_that_powers_itself_off_is_terminated(site: Site) -> None:
    name = site.run()
    site.ssh("sudo -n systemctl poweroff")
    site.server.wait(name, "terminated", seconds=60)
    reason = site.server.instance(name)["StateReason"]["Code"]
    assert reason == "Client.InstanceInitiatedShutdown"


def test_a_stopped_builder_starts_again_with_its_disk_also_after_its_snapshot(site: Site) -> None:
    name = site.run()
    site.ssh("sudo -n touch /etc/before")
    site.stop(name)
    image = site.imaged(name)
    site.ec2.start_instances(InstanceIds=[name])
    until(lambda: site.ssh("true").returncode == 0, seconds=60, what="sshd answers")
    assert site.ssh("ls /etc/before").returncode == 0
    site.ec2.terminate_instances(InstanceIds=[name])
    site.ec2.deregister_image(ImageId=image["ImageId"])


def test_no_image_is_made_of_a_running_machine(site: Site) -> None:
    name = site.run()
    with pytest.raises(site.ec2.exceptions.ClientError, match="IncorrectInstanceState"):
        site.ec2.create_image(InstanceId=name, Name="probe")
    site.ec2.terminate_instances(InstanceIds=[name])


def test_an_image_is_described_with_what_was_set_for_it(site: Site) -> None:
    image = site.ec2.register_image(Name="probe", RootDeviceName="/dev/xvda")["ImageId"]
    site.ec2.modify_image_attribute(ImageId=image, ImdsSupport={"Value": "v2.0"})
    site.ec2.modify_image_attribute(ImageId=image, Description={"Value": "a probe"})
    site.ec2.enable_image_deprecation(ImageId=image, DeprecateAt="2030-01-02T03:04:05Z")
    described = site.described(image)
    assert described["ImdsSupport"] == "v2.0"
    assert described["Description"] == "a probe"
    assert described["DeprecationTime"] == "2030-01-02T03:04:00.000Z"
    site.ec2.disable_image_deprecation(ImageId=image)
    assert "DeprecationTime" not in site.described(image)


def test_a_builder_whose_maker_is_gone_shuts_itself_down_and_is_terminated(site: Site) -> None:
    user_data = BUILDER.read_text()
    assert user_data.count('"+60"') == 1
    name = site.server.run(
        ImageId=site.image["ImageId"],
        KeyName="k",
        tags=[],
        UserData=user_data.replace('"+60"', '"+0"'),
        InstanceInitiatedShutdownBehavior="terminate",
    )["InstanceId"]
    site.server.wait(name, "terminated", seconds=120)
    reason = site.server.instance(name)["StateReason"]["Code"]
    assert reason == "Client.InstanceInitiatedShutdown"
    folder = site.server.path(name)
    assert debian.left_in(folder) == []
    assert sorted(one.name for one in folder.iterdir()) == ["console.log", "first-boot"]
