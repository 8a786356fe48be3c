"""What an image and an instance of it have to be, decided on what EC2 says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aws_parallelizer.aws.image_trials import Details, Disk
from image import checks
from image.checks import Trial

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TAGS = {
    "parallelizer:image": "worker",
    "parallelizer:arch": "amd64",
    "parallelizer:debian-release": "13",
    "parallelizer:worker-version": "0.1.0",
    "parallelizer:git-commit": "abc",
    "parallelizer:source-image": "ami-0",
}


def details(**more: Any) -> Details:
    given = {
        "id": "ami-1",
        "name": "image",
        "state": "available",
        "architecture": "x86_64",
        "disks": (Disk("/dev/xvda", encrypted=True, type="gp3"),),
        "tags": TAGS,
        "imds": "v2.0",
        "network": True,
        "deprecated": NOW + timedelta(days=1),
    }
    return Details(**{**given, **more})


def failed(image: Details, *, shared: tuple[str, ...] = ()) -> list[str]:
    return [each.name for each in checks.of_image(image, shared=shared, now=NOW) if not each.good]


def test_an_image_as_it_should_be_fails_nothing() -> None:
    assert failed(details()) == []
    assert failed(details(architecture="arm64", tags={**TAGS, "parallelizer:arch": "arm64"})) == []


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"state": "pending"}, "state"),
        ({"architecture": "arm64"}, "architecture"),
        ({"disks": ()}, "encryption"),
        ({"disks": (Disk("/dev/xvda", encrypted=False, type="gp3"),)}, "encryption"),
        ({"imds": ""}, "metadata"),
        ({"network": False}, "network"),
        ({"public": True}, "private"),
        ({"deprecated": None}, "deprecation"),
        ({"deprecated": NOW - timedelta(days=1)}, "deprecation"),
        ({"tags": {**TAGS, "parallelizer:git-commit": ""}}, "tags"),
        ({"tags": {**TAGS, "parallelizer:image": "builder"}}, "tags"),
    ],
)
def test_each_thing_that_is_wrong_is_named_with_what_to_do(more: dict[str, Any], name: str) -> None:
    image = details(**more)
    assert failed(image) == [name]
    [check] = [each for each in checks.of_image(image, shared=(), now=NOW) if not each.good]
    assert check.told().startswith(f"failed: {name}: ")
    assert check.cure


def test_an_image_for_everybody_is_not_private_and_one_for_an_account_is_told() -> None:
    assert failed(details(), shared=("all",)) == ["private"]
    told = [each.told() for each in checks.of_image(details(), shared=("123",), now=NOW)]
    assert "ok: private: 123 may launch it" in told


def trial(**more: Any) -> Trial:
    given = {
        "instance": "i-1",
        "signed": True,
        "seconds": 40.0,
        "ended": True,
        "state": "terminated",
        "tokens": True,
        "console": "",
    }
    return Trial(**{**given, **more})


@pytest.mark.parametrize(
    ("more", "name", "said"),
    [
        ({"signed": False, "console": "one\nKernel panic\n"}, "sign of life", "one | Kernel panic"),
        ({"signed": False}, "sign of life", "none in nothing"),
        ({"tokens": False}, "tokens", "no"),
        ({"ended": False, "state": "running"}, "its end", "it was running and had to be ended"),
    ],
)
def test_an_instance_that_did_not_do_its_part_is_told(
    more: dict[str, Any], name: str, said: str
) -> None:
    assert all(each.good for each in checks.of_trial(trial()))
    [check] = [each for each in checks.of_trial(trial(**more)) if not each.good]
    assert check.name == name
    assert said in check.told()
