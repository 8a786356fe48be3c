"""`make ami`, with a Packer that is a script and an account of moto's: what it says and runs, and
what it is refused for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

import images
from image import __main__ as program
from image import making, wheelhouse
from image.saying import ImageFailed


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with images.account(monkeypatch, tmp_path):
        yield


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return images.workplace(monkeypatch, tmp_path)


def test_the_id_of_each_region_is_published_in_that_region(here: Path) -> None:
    made = {region: images.image("new", region=region) for region in (images.REGION, images.OTHER)}
    images.packer(here, build=images.writes_manifest(made))
    said: list[str] = []
    found = making.make(images.order(copies=[images.OTHER]), say=said.append)
    assert dict(found.images) == made
    for region, id_ in made.items():
        assert images.published(region=region) == id_
        [entry] = images.ssm(region).describe_parameters()["Parameters"]
        assert entry["DataType"] == "aws:ec2:image"
    assert "copied to eu-west-1" in said[0]
    assert "costs about $" in said[2]
    assert any("next launch" in line for line in said)


def test_packer_is_given_what_the_image_is_made_of(here: Path) -> None:
    images.packer(here, build=images.writes_manifest({images.REGION: images.image("new")}))
    making.make(images.order(variables={"subnet_id": "subnet-1"}), say=print)
    init, validate, build = images.calls(here)
    assert (init[0], validate[0], build[0]) == ("init", "validate", "build")
    given = {word for word in build if "=" in word}
    assert {"region=us-east-1", "arch=amd64", "debian_release=13", "subnet_id=subnet-1"} <= given
    assert "copy_to_regions=[]" in given
    assert not any("AKIA" in word or "SECRET" in word.upper() for word in build)


def test_a_file_of_variables_is_handed_on(here: Path, tmp_path: Path) -> None:
    images.packer(here, build=images.writes_manifest({images.REGION: images.image("new")}))
    file = tmp_path / "mine.pkrvars.hcl"
    file.write_text('packages = ["ffmpeg"]\n')
    assert program.main(["ami", "--file", str(file)]) == 0
    assert f"-var-file={file}" in images.calls(here)[-1]


def test_an_old_packer_builds_from_its_view_and_fetches_no_plugins(here: Path) -> None:
    images.packer(
        here, version="1.6.6", build=images.writes_manifest({images.REGION: images.image("new")})
    )
    said: list[str] = []
    making.make(images.order(), say=said.append)
    validate, build = images.calls(here)
    template = Path(build[-1])
    assert validate[-1] == build[-1]
    assert not (template / "plugins.pkr.hcl").exists()
    assert "imds_support" not in (template / "worker.pkr.hcl").read_text()
    assert any("warning: Packer 1.6" in line for line in said)


def test_no_packer_is_one_line_with_the_cure(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(here))
    with pytest.raises(ImageFailed, match=r"there is no packer: install Packer 1\.14 or newer"):
        making.make(images.order(), say=print)


def test_a_packer_that_cannot_fetch_plugins_is_refused(here: Path) -> None:
    images.packer(here, version="1.11.0")
    with pytest.raises(ImageFailed, match=r"v1\.11, which cannot fetch today's plugins"):
        making.make(images.order(), say=print)


def test_another_program_of_packers_name_is_seen(here: Path) -> None:
    images.packer(here).write_text("#!/bin/sh\necho usage: packer file\n")
    with pytest.raises(ImageFailed, match="is not HashiCorp's Packer"):
        making.make(images.order(), say=print)


def test_no_ansible_is_one_line_with_the_cure(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images.packer(here)
    (here / "ansible-playbook").unlink()
    monkeypatch.setenv("PATH", str(here))
    with pytest.raises(ImageFailed, match="there is no ansible-playbook: run make venv"):
        making.make(images.order(), say=print)


def test_no_default_vpc_is_one_line_and_nothing_is_begun(here: Path) -> None:
    images.packer(here)
    ec2 = images.ec2()
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    for vpc in ec2.describe_vpcs()["Vpcs"]:
        ec2.delete_vpc(VpcId=vpc["VpcId"])
    with pytest.raises(ImageFailed, match=r"us-east-1 has no default VPC: .*VARS=subnet_id"):
        making.make(images.order(), say=print)
    assert images.calls(here) == []


def test_no_credentials_are_one_line_with_the_cure(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images.packer(here)
    monkeypatch.setattr(boto3.session.Session, "get_credentials", lambda _self: None)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert program.main(["ami", "--region", images.REGION]) == 1
    assert "There are no AWS credentials: set AWS_PROFILE" in capsys.readouterr().err


def test_no_region_is_one_line_with_the_cure(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_REGION")
    assert program.main(["ami"]) == 1
    assert "There is no AWS region" in capsys.readouterr().err


def test_a_build_that_fails_publishes_nothing(here: Path) -> None:
    images.packer(here, build="sys.exit(3)")
    with pytest.raises(ImageFailed, match="packer build ended with 3"):
        making.make(images.order(), say=print)
    assert images.ssm().describe_parameters()["Parameters"] == []


def test_a_build_of_before_is_not_taken_for_this_one(here: Path) -> None:
    images.packer(here, build=images.writes_manifest({images.REGION: images.image("new")}))
    making.make(images.order(), say=print)
    images.packer(here, build="")  # says that it succeeded, and wrote nothing
    with pytest.raises(ImageFailed, match="has written no manifest"):
        making.make(images.order(), say=print)


def test_a_secret_in_the_wheels_stops_it_before_anything_is_started(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaky(_release: str, _arch: str, to: Path) -> tuple[wheelhouse.Wheel, ...]:
        to.mkdir(parents=True)
        (to / "own.whl").write_bytes(b"AKIA" + b"QWERTYUIOPASDFGH")
        return ()

    images.packer(here)
    monkeypatch.setattr(wheelhouse, "build", leaky)
    with pytest.raises(ImageFailed, match=r"aws-access-key in own\.whl"):
        making.make(images.order(), say=print)
    assert images.calls(here) == []


def test_a_second_run_publishes_the_newer_image(here: Path) -> None:
    for name in ("one", "two"):
        made = images.image(name)
        images.packer(here, build=images.writes_manifest({images.REGION: made}))
        making.make(images.order(), say=print)
        assert images.published() == made
