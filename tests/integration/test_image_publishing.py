"""What `make ami` tells stacks: the SSM parameter of each region, or how somebody else sets it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ConnectionClosedError

import images
from aws_parallelizer.aws.image_parameters import ImageParameters
from image import __main__ as program
from image import making, publishing, regions
from image.manifest import Built
from image.saying import ImageFailed

NAME = "/parallelizer/image-id"


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with images.account(monkeypatch, tmp_path):
        yield


def test_arm_has_a_parameter_of_its_own_for_default_types_are_not() -> None:
    made = Built(images={"r": "ami-1"}, arch="arm64", release="13", version="0", commit="c")
    assert regions.parameter("amd64") == NAME
    assert regions.parameter("arm64") == f"{NAME}-arm64"
    told = making.used(made, parameter=regions.parameter("arm64"))
    assert "make deploy PARAMETERS=ImageParameter=/parallelizer/image-id-arm64" in told[1]


def test_an_id_that_ssm_does_not_take_is_told_with_what_to_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageParameters, "ask", lambda *_: None)
    clock = iter(range(0, 1000, 10))
    with pytest.raises(ImageFailed) as told:
        publishing.publish(
            {images.REGION: "ami-1"},
            parameter=NAME,
            say=print,
            sleep=lambda _: None,
            now=lambda: float(next(clock)),
        )
    assert "it says nothing after 60 s" in str(told.value)
    assert f"--name {NAME} --value ami-1 --region us-east-1" in str(told.value)


def test_a_region_that_cannot_be_told_keeps_no_other_from_being_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = {region: images.image("new", region=region) for region in (images.OTHER, images.REGION)}
    really = ImageParameters.ask

    def refused(self: ImageParameters, name: str, image: str) -> None:
        if image == made[images.OTHER]:
            raise ConnectionClosedError(endpoint_url="https://ssm")
        really(self, name, image)

    monkeypatch.setattr(ImageParameters, "ask", refused)
    with pytest.raises(ImageFailed) as told:
        publishing.publish(made, parameter=NAME, say=print)
    assert images.published() == made[images.REGION]
    assert f"--value {made[images.OTHER]} --region {images.OTHER}" in str(told.value)
    assert made[images.REGION] not in str(told.value)


def test_an_image_that_was_made_can_be_published_later(tmp_path: Path) -> None:
    made = images.image("made")
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(images.manifest({images.REGION: made})))
    assert program.main(["publish", str(file)]) == 0
    assert images.published() == made


@pytest.mark.parametrize("text", ["", "{}", '{"builds": [], "last_run_uuid": "2"}'])
def test_a_manifest_that_is_none_is_named(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "manifest.json"
    file.write_text(text)
    assert program.main(["publish", str(file)]) == 1
    assert "manifest.json: this is no manifest" in capsys.readouterr().err
