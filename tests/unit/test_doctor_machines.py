"""doctor on image, instance types, quota, profile and the spot role."""

from __future__ import annotations

import pytest

from aws_parallelizer.aws.survey import Image, Kind
from aws_parallelizer.cli.doctor import machines
from aws_parallelizer.cli.doctor.finding import Verdict

IMAGE = Image("ami-1", "available", "x86_64", "ebs", "/dev/xvda", "v2.0")
BOTH = ("on-demand", "spot")
INTEL = Kind("m5.large", 2, ("x86_64",), BOTH)
LARGE = Kind("m5.4xlarge", 16, ("x86_64",), BOTH)
ARM = Kind("m7g.large", 2, ("arm64",), BOTH)
GPU = Kind("g5.xlarge", 4, ("x86_64",), BOTH)


@pytest.mark.parametrize(
    ("image", "verdict", "says"),
    [
        (IMAGE, Verdict.OK, "marked for IMDSv2"),
        (IMAGE._replace(imds=""), Verdict.OK, "not marked for IMDSv2"),
        (IMAGE._replace(state="pending"), Verdict.FAILED, "is pending"),
        (IMAGE._replace(state="deregistered"), Verdict.FAILED, "is deregistered"),
        (IMAGE._replace(root_type="instance-store"), Verdict.FAILED, "instance store"),
    ],
)
def test_an_image_is_to_be_one_that_boots(image: Image, verdict: Verdict, says: str) -> None:
    found = machines.image(image, source="imageID")
    assert found.verdict is verdict
    assert says in found.cause


@pytest.mark.parametrize(
    ("architecture", "kinds", "verdict"),
    [
        ("x86_64", [INTEL, LARGE], Verdict.OK),
        ("arm64", [ARM], Verdict.OK),
        ("x86_64", [INTEL, ARM], Verdict.FAILED),
        ("arm64", [INTEL], Verdict.FAILED),
        ("", [INTEL], Verdict.NOT_CHECKED),
    ],
)
def test_the_image_is_to_be_built_for_every_instance_type(
    architecture: str, kinds: list[Kind], verdict: Verdict
) -> None:
    found = machines.architecture(IMAGE._replace(architecture=architecture), kinds)
    assert found.verdict is verdict
    if verdict is Verdict.FAILED:
        assert kinds[-1].name in found.cause


@pytest.mark.parametrize(
    ("kinds", "offered", "verdict", "says"),
    [
        ([INTEL, LARGE], {("m5.large", "a"), ("m5.4xlarge", "b")}, Verdict.OK, "2 of 4 pools"),
        ([INTEL, ARM], {("m5.large", "a")}, Verdict.WARNING, "m7g.large are offered in none"),
        ([INTEL], {("m5.large", "c")}, Verdict.FAILED, "No type is offered in a, b"),
        ([INTEL._replace(markets=("on-demand",))], set(), Verdict.FAILED, "for spot"),
    ],
)
def test_the_subnets_zones_are_to_offer_the_types(
    kinds: list[Kind], offered: set[tuple[str, str]], verdict: Verdict, says: str
) -> None:
    found = machines.types(kinds, offered, zones=("a", "b"))
    assert found.verdict is verdict
    assert says in found.cause


@pytest.mark.parametrize(
    ("allowed", "verdict", "says"),
    [
        (160, Verdict.OK, "10 instances take up to 160"),
        (159, Verdict.WARNING, "fewer will run"),
        (2, Verdict.WARNING, "fewer will run"),
        (1, Verdict.FAILED, "one takes 2"),
        (0, Verdict.FAILED, "one takes 2"),
    ],
)
def test_the_quota_is_compared_with_the_largest_fleet(
    allowed: int, verdict: Verdict, says: str
) -> None:
    found = machines.quota("spot", allowed, [INTEL, LARGE], instances=10, code="L-1")
    assert found.name == "spot quota"
    assert found.verdict is verdict
    assert says in found.cause
    assert ("L-1" in found.cure) == (verdict is not Verdict.OK)


def test_only_standard_families_count_against_the_standard_quota() -> None:
    names = ("c7i.large", "im4gn.large", "t3.nano", "g5.xlarge", "inf1.xlarge", "x2gd.large")
    kinds = [INTEL._replace(name=name) for name in names]
    found = [kind.name for kind in machines.standard([*kinds, GPU])]
    assert found == ["c7i.large", "im4gn.large", "t3.nano"]


def test_an_instance_profile_without_a_role_fails() -> None:
    arn = "arn:aws:iam::1:instance-profile/path/worker"
    assert machines.profile(arn, ["role"]).cause == "worker with role role"
    assert machines.profile(arn, []).verdict is Verdict.FAILED


def test_the_spot_role_is_needed_on_aws_alone() -> None:
    assert machines.spot_role(there=True, aws=True).verdict is Verdict.OK
    assert machines.spot_role(there=False, aws=False).verdict is Verdict.NOT_CHECKED
    missing = machines.spot_role(there=False, aws=True)
    assert missing.verdict is Verdict.FAILED
    assert "create-service-linked-role" in missing.cure
