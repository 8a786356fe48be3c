"""`make ami`: what is asked of EC2, what is made, what is published, and what stays behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from local import overlays
from local.images import ImageStore
from rehearsal.ami import COPY, PARAMETER, Ami, Machines, make
from rehearsal.auditing import audit, places

HOME = "us-east-1"


def client(cloud: Machines, service: str, region: str) -> Any:
    name = "AWS_ENDPOINT_URL_EC2" if service == "ec2" else "AWS_ENDPOINT_URL"
    return boto3.client(
        service,
        endpoint_url=cloud.env[name],
        region_name=region,
        aws_access_key_id=cloud.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=cloud.env["AWS_SECRET_ACCESS_KEY"],
    )


def described(cloud: Machines, ami: Ami, region: str) -> dict[str, Any]:
    [found] = client(cloud, "ec2", region).describe_images(ImageIds=[ami.images[region]])["Images"]
    return dict(found)


def tags(described: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described["Tags"]}


def leftovers(cloud: Machines) -> list[str]:
    """What Packer made for itself and has not removed."""
    ec2 = cloud.client("ec2")
    pairs = [one["KeyName"] for one in ec2.describe_key_pairs()["KeyPairs"]]
    groups = [one["GroupName"] for one in ec2.describe_security_groups()["SecurityGroups"]]
    builders = [
        instance["InstanceId"]
        for page in ec2.describe_instances()["Reservations"]
        for instance in page["Instances"]
        if {"Key": "parallelizer:image", "Value": "builder"} in instance.get("Tags", [])
        and instance["State"]["Name"] not in ("shutting-down", "terminated")
    ]
    return [name for name in [*pairs, *groups] if name.startswith("packer")] + builders


def test_it_says_what_it_costs_what_it_made_and_how_that_is_used(
    ami: Ami, record_property: Any
) -> None:
    record_property("make ami took", f"{ami.seconds:.0f} s")
    assert "costs about $" in ami.said
    for region, image in ami.images.items():
        assert f"{image} ({region})" in ami.said
    assert "make ami-verify" in ami.said


def test_the_image_and_its_copy_tell_what_they_were_made_of(cloud: Machines, ami: Ami) -> None:
    assert set(ami.images) == {HOME, COPY}
    for region in ami.images:
        image = described(cloud, ami, region)
        assert image["State"] == "available"
        assert not image["Public"]
        told = tags(image)
        assert told["parallelizer:image"] == "worker"
        assert told["parallelizer:debian-release"] == "13"
        assert told["parallelizer:worker-version"] == ami.made.version
        assert told["parallelizer:git-commit"] == ami.made.commit
        assert told["parallelizer:source-image-name"].startswith("debian-13-amd64-")


def test_a_disk_that_is_encrypted_from_its_first_block_on_is_asked_for(
    cloud: Machines, ami: Ami
) -> None:
    asked = cloud.calls("RunInstances")[0]
    [mapping] = asked["BlockDeviceMappings"]
    assert str(mapping["Ebs"]["Encrypted"]).lower() == "true"
    assert mapping["Ebs"]["VolumeType"] == "gp3"
    for region in ami.images:
        [shown] = described(cloud, ami, region)["BlockDeviceMappings"]
        assert shown["Ebs"]["Encrypted"] is True


def test_a_builder_whose_maker_dies_ends_by_itself_and_holds_no_role(
    cloud: Machines, ami: Ami
) -> None:
    asked = cloud.calls("RunInstances")[0]
    assert asked["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert asked["UserData"]
    assert not any((asked.get("IamInstanceProfile") or {}).values())


def test_nobody_else_is_given_the_image(cloud: Machines, ami: Ami) -> None:
    for region in (HOME, COPY):
        changes = [str(one) for one in cloud.calls("ModifyImageAttribute", region)]
        changes += [str(one) for one in cloud.calls("ModifySnapshotAttribute", region)]
        assert not [one for one in changes if "Permission" in one or "OperationType" in one]


def test_nothing_of_the_build_is_left(cloud: Machines, ami: Ami) -> None:
    assert leftovers(cloud) == []


def test_the_parameter_of_each_region_names_its_image(cloud: Machines, ami: Ami) -> None:
    for region, image in ami.images.items():
        got = client(cloud, "ssm", region).get_parameter(Name=PARAMETER)["Parameter"]
        assert got["Value"] == image


def test_its_parts_are_listed_beside_the_manifest(ami: Ami) -> None:
    listed = (ami.folder / "sbom.cdx.json").read_text()
    assert '"aws-parallelizer"' in listed


@pytest.fixture
def image_root(ami: Ami, tmp_path: Path) -> Iterator[Path]:
    store = ImageStore()
    image = store.find(ami.images[HOME])
    assert image is not None
    with overlays.mounted(store.layers(image), tmp_path) as root:
        yield root


def test_neither_the_files_nor_the_disk_of_the_image_hold_a_secret_or_a_trace(
    ami: Ami, image_root: Path
) -> None:
    code, found = audit(str(image_root))
    assert (code, places(found)) == (0, set())
    store = ImageStore()
    image = store.find(ami.images[HOME])
    assert image is not None
    code, found = audit("--disk", str(store.disk(image)))
    assert (code, places(found)) == (0, set())


def test_nobody_can_log_in_to_what_starts_from_the_image(image_root: Path) -> None:
    # An empty one may be there: Packer looks into it last of all.
    keys = [*image_root.glob("home/*/.ssh/*"), *image_root.glob("root/.ssh/*")]
    assert [path for path in keys if path.stat().st_size] == []
    assert not list(image_root.glob("etc/ssh/ssh_host_*"))
    assert (image_root / "etc" / "machine-id").read_bytes() in (b"", b"uninitialized\n")
    shadow = (image_root / "etc" / "shadow").read_text().splitlines()
    hashes = [line.split(":")[1] for line in shadow]
    assert all(one.startswith(("!", "*")) for one in hashes)


def test_a_playbook_that_fails_leaves_nothing_behind(
    cloud: Machines, ami: Ami, tmp_path: Path
) -> None:
    before = cloud.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"]
    images = len(cloud.client("ec2").describe_images(Owners=["self"])["Images"])
    failed = make(cloud, 'packages=["no-such-package-anywhere"]')
    assert failed.made is None
    assert "no-such-package-anywhere" in failed.said
    assert leftovers(cloud) == []
    assert len(cloud.client("ec2").describe_images(Owners=["self"])["Images"]) == images
    after = cloud.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"]
    assert after == before
