"""Old Packer's view of the template: without what it does not know, and with all the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from image import legacy
from image.saying import ImageFailed

TEMPLATE = """\
source "amazon-ebs" "worker" {
  region = var.region

  # >>> packer 1.7+
  imds_support = "v2.0"
  metadata_options {
    http_tokens = "required"
  }
  # <<< packer 1.7+
}
"""


def test_what_is_marked_goes_with_its_markers_and_is_told() -> None:
    kept, marked = legacy.cut(TEMPLATE)
    assert kept == 'source "amazon-ebs" "worker" {\n  region = var.region\n\n}\n'
    assert legacy.keys(marked) == ["imds_support", "metadata_options", "http_tokens"]


def test_what_has_no_markers_stays_to_the_byte() -> None:
    text = 'variable "a" {\r\n}\n# packer 1.7+'
    assert legacy.cut(text) == (text, [])


@pytest.mark.parametrize(
    "text",
    [
        "# >>> packer 1.7+\na = 1\n",
        "a = 1\n# <<< packer 1.7+\n",
        "# >>> packer 1.7+\n# >>> packer 1.7+\n# <<< packer 1.7+\n",
    ],
)
def test_markers_that_do_not_match_are_refused(text: str) -> None:
    with pytest.raises(ImageFailed, match=r"worker.pkr.hcl: '# (>>>|<<<) packer 1.7\+'"):
        legacy.cut(text, source="worker.pkr.hcl")


def test_the_view_finds_what_lies_beside_the_template(tmp_path: Path) -> None:
    source = tmp_path / "repository"
    for name in ("packer/scripts", "ansible", "control", "worker"):
        (source / name).mkdir(parents=True)
    (source / "packer" / "worker.pkr.hcl").write_text(TEMPLATE)
    (source / "packer" / "plugins.pkr.hcl").write_text("packer {}\n")
    (source / "packer" / "scripts" / "scrub.sh").write_text("#!/bin/sh\n")
    (source / "ansible" / "site.yml").write_text("---\n")
    made = legacy.view(tmp_path / "legacy", repository=source)
    assert not (made / "plugins.pkr.hcl").exists()
    assert "imds_support" not in (made / "worker.pkr.hcl").read_text()
    assert (made / "scripts" / "scrub.sh").exists()
    assert (made / ".." / "ansible" / "site.yml").read_text() == "---\n"
    assert legacy.view(tmp_path / "legacy", repository=source) == made
    assert (source / "packer" / "plugins.pkr.hcl").exists()
