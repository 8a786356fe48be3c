"""`make ami-prune` on an account of moto's: it touches what bears our tag and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import images
from image import __main__ as program
from image import prune, pruning

LATER = datetime.now(UTC) + timedelta(days=30)


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with images.account(monkeypatch, tmp_path):
        yield


@pytest.fixture
def newest() -> str:
    """What SSM names, so that all others are old."""
    made = images.image("newest")
    images.ssm().put_parameter(Name="/parallelizer/image-id", Value=made, Type="String")
    return made


def run(*, keep: int = 0, remove: bool = True, say: Any = print) -> list[str]:
    """The ids of what was removed, or would be."""
    found = prune.prune(images.REGION, keep=keep, remove=remove, say=say, now=LATER)
    return [each.id for each in found.remove]


def there() -> set[str]:
    return {each["ImageId"] for each in images.ec2().describe_images(Owners=["self"])["Images"]}


def snapshots_there() -> set[str]:
    found = images.ec2().describe_snapshots(OwnerIds=["self"])["Snapshots"]
    return {each["SnapshotId"] for each in found}


def test_an_old_image_goes_with_its_snapshots_and_nothing_else(newest: str) -> None:
    old, others = images.image("old"), images.image("others", tags={"Name": "not ours"})
    gone = set(images.snapshots(old))
    before, before_snapshots = there(), snapshots_there()
    assert run() == [old]
    assert there() == before - {old}
    assert snapshots_there() == before_snapshots - gone
    assert {newest, others} <= there()


def test_without_leave_it_only_says_what_it_would_do(
    newest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = images.image("old")
    before = there(), snapshots_there()
    assert run(remove=False) == [old]
    assert (there(), snapshots_there()) == before
    told = capsys.readouterr().out
    assert f"would remove {old}" in told
    assert "nothing was changed; YES=1" in told
    assert f"keeps {newest}" in told


def test_the_command_removes_with_yes_only(newest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_NEW", timedelta(days=-1))  # here all is as new as the test
    for number in range(3):
        images.image(f"image {number}")
    before = there()
    assert program.main(["prune", "--keep", "0"]) == 0
    assert there() == before
    assert program.main(["prune", "--keep", "0", "--yes"]) == 0
    assert there() == {newest}


def test_a_second_run_finds_nothing(newest: str, capsys: pytest.CaptureFixture[str]) -> None:
    images.image("old")
    run()
    capsys.readouterr()
    assert run() == []
    assert "no image is there that nothing needs" in capsys.readouterr().out


def test_the_snapshots_of_an_interrupted_run_are_found_by_the_next(newest: str) -> None:
    old = images.image("old")
    left = set(images.snapshots(old))
    images.ec2().deregister_image(ImageId=old)
    assert left <= snapshots_there()
    run()
    assert not left & snapshots_there()


def test_a_snapshot_without_our_tag_stays_though_our_image_was_made_of_it(newest: str) -> None:
    old = images.image("old")
    [snapshot] = images.snapshots(old)
    images.ec2().delete_tags(
        Resources=[snapshot], Tags=[{"Key": "parallelizer:image", "Value": "worker"}]
    )
    said: list[str] = []
    assert run(say=said.append) == [old]
    assert snapshot in snapshots_there()
    assert f"snapshot {snapshot} stays: it does not bear our tag" in said


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_an_image_of_an_instance_stays_until_the_instance_is_terminated(
    newest: str, state: str
) -> None:
    old = images.image("old")
    user = images.instance(old)
    if state == "stopped":
        images.ec2().stop_instances(InstanceIds=[user])
    assert run() == []
    images.ec2().terminate_instances(InstanceIds=[user])
    assert run() == [old]


def template(name: str, image: str, *, tags: dict[str, str] | None = None) -> None:
    listed = [{"Key": key, "Value": value} for key, value in (tags or {"a": "b"}).items()]
    images.ec2().create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={"ImageId": image},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": listed}],
    )


def newer_version(name: str, image: str) -> None:
    images.ec2().create_launch_template_version(
        LaunchTemplateName=name, LaunchTemplateData={"ImageId": image}
    )


def test_an_image_of_any_version_of_somebodys_launch_template_stays(newest: str) -> None:
    old = images.image("old")
    template("somebodys", old)
    newer_version("somebodys", newest)
    assert run() == []


def test_of_a_stacks_launch_template_only_the_latest_version_counts(newest: str) -> None:
    older, old = images.image("older"), images.image("old")
    template("stack/job/spot", older, tags={"parallelizer:stack": "stack"})
    newer_version("stack/job/spot", old)
    assert run() == [older]


def test_an_image_of_a_live_spot_request_stays(newest: str) -> None:
    old = images.image("old")
    ec2 = images.ec2()
    request = ec2.request_spot_instances(
        Type="persistent", LaunchSpecification={"ImageId": old, "InstanceType": "t3.small"}
    )["SpotInstanceRequests"][0]
    if "InstanceId" in request:
        ec2.terminate_instances(InstanceIds=[request["InstanceId"]])
    assert run() == []
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request["SpotInstanceRequestId"]])
    for group in ec2.describe_instances()["Reservations"]:
        ec2.terminate_instances(InstanceIds=[each["InstanceId"] for each in group["Instances"]])
    assert run() == [old]


@pytest.mark.parametrize("type_", ["aws:ec2:image", "text"])
def test_an_image_that_any_parameter_names_stays(newest: str, type_: str) -> None:
    kept, old = images.image("kept"), images.image("old")
    images.ssm().put_parameter(Name="/mine", Value=kept, Type="String", DataType=type_)
    for number in range(11):  # more than can be asked for at once
        images.ssm().put_parameter(Name=f"/a/{number}", Value="unrelated", Type="String")
    assert run() == [old]


def test_an_image_that_another_account_may_launch_stays(newest: str) -> None:
    old = images.image("old")
    images.ec2().modify_image_attribute(
        ImageId=old, LaunchPermission={"Add": [{"UserId": "123456789012"}]}
    )
    assert run() == []


def test_other_regions_are_left_alone(newest: str) -> None:
    far = images.image("far", region=images.OTHER)
    run()
    found = images.ec2(images.OTHER).describe_images(Owners=["self"])["Images"]
    assert far in {each["ImageId"] for each in found}
