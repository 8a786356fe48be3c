"""The list of the image's parts names each wheel and each of Debian's packages."""

from __future__ import annotations

import json
from pathlib import Path

from image import sbom
from image.targets import Target
from image.wheelhouse import Wheel

TARGET = Target(release="13", arch="amd64")
WHEELS = (
    Wheel(name="rich", version="15.0.0", file="rich.whl", sha256="ab" * 32),
    Wheel(name="boto3", version="1.44.5", file="boto3.whl", sha256="cd" * 32),
)
PACKAGES = "zlib1g\t1:1.3.dfsg+really1.3.1-1+b1\tamd64\nca-certificates\t20250419\tall\n"


def test_each_part_has_a_package_url_and_each_wheel_its_hash() -> None:
    told = json.loads(sbom.bill(target=TARGET, wheels=WHEELS, packages=PACKAGES))
    assert (told["bomFormat"], told["specVersion"], told["version"]) == ("CycloneDX", "1.6", 1)
    assert [part["purl"] for part in told["components"]] == [
        "pkg:pypi/boto3@1.44.5",
        "pkg:pypi/rich@15.0.0",
        "pkg:deb/debian/ca-certificates@20250419?arch=all&distro=debian-13",
        "pkg:deb/debian/zlib1g@1%3A1.3.dfsg%2Breally1.3.1-1%2Bb1?arch=amd64&distro=debian-13",
    ]
    assert told["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "cd" * 32}]
    references = [part["bom-ref"] for part in told["components"]]
    assert len(set(references)) == len(references)


def test_the_same_parts_make_the_same_document() -> None:
    one = sbom.bill(target=TARGET, wheels=WHEELS, packages=PACKAGES)
    assert one == sbom.bill(target=TARGET, wheels=WHEELS[::-1], packages=PACKAGES)
    other = sbom.bill(target=TARGET, wheels=WHEELS[:1], packages=PACKAGES)
    assert json.loads(one)["serialNumber"] != json.loads(other)["serialNumber"]


def test_the_builders_list_is_read_where_packer_left_it(tmp_path: Path) -> None:
    (tmp_path / "manifest.json.packages").write_text(PACKAGES)
    path = sbom.write(tmp_path, target=TARGET, wheels=WHEELS)
    assert "zlib1g" in path.read_text()
