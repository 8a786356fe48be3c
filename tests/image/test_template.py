"""Packer's template: what current plugins and Debian's old Packer make of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from image import legacy
from rehearsal import template
from rehearsal.template import Body

REPOSITORY = Path(__file__).parents[2]
PACKER = REPOSITORY / "packer"
KEYS = Path(__file__).parent / "keys"

# What only current plugins know, between the markers. Each must be here by name, so that nothing
# else hides from the rehearsal between them.
CUT = {
    "deprecate_at",
    "imds_support",
    "metadata_options",
    "metadata_options.http_endpoint",
    "metadata_options.http_put_response_hop_limit",
    "metadata_options.http_tokens",
    "temporary_key_pair_type",
    "temporary_security_group_source_public_ip",
}
# The old Packer takes this key, but not to make the pair: EC2 makes it, of whatever type it likes.
TAKEN_AND_IGNORED = {"temporary_key_pair_type"}
BLOCK_DEVICE = {
    "delete_on_termination", "device_name", "encrypted", "iops", "kms_key_id", "no_device",
    "snapshot_id", "throughput", "virtual_name", "volume_size", "volume_type",
}  # fmt: skip
# The plugin's nested blocks; the keys of a plain map, as tags, are anybody's.
NESTED = {
    "aws_polling": {"delay_seconds", "max_attempts"},
    "launch_block_device_mappings": BLOCK_DEVICE,
    "metadata_options": {
        "http_endpoint", "http_put_response_hop_limit", "http_tokens", "instance_metadata_tags",
    },
    "source_ami_filter": {"filters", "include_deprecated", "most_recent", "owners"},
}  # fmt: skip


def validate(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`packer validate` with what `make ami` always gives."""
    given = {"wheelhouse": "/none", "manifest": "/none", "worker_version": "1.2.3", **variables}
    return packer(
        "validate", *[f"-var={name}={value}" for name, value in given.items()], folder=folder
    )


def packer(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Debian's Packer; it looks for ansible-playbook on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["packer", *arguments, str(folder)],
        env={"PATH": path, "HOME": "/nonexistent", "CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def view(tmp_path: Path, packer_here: None) -> Path:
    """The template as Debian's Packer can read it."""
    return legacy.view(tmp_path / "view")


def the_source(folder: Path) -> Body:
    [source] = template.sources(template.read(folder.glob("*.pkr.hcl")), "amazon-ebs")
    return source


@pytest.mark.usefixtures("packer_here")
def test_the_template_is_formatted_as_packer_formats() -> None:
    ended = packer("fmt", "-check", "-diff", folder=PACKER)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(("release", "arch"), [("12", "arm64"), ("13", "amd64")])
def test_packer_finds_the_view_for_debians_packer_valid(
    view: Path, release: str, arch: str
) -> None:
    ended = validate(view, arch=arch, debian_release=release)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_packer_refuses_an_architecture_that_the_image_is_not_made_for(view: Path) -> None:
    ended = validate(view, arch="i386")
    assert ended.returncode != 0
    assert "instance_type" in ended.stdout + ended.stderr


def test_exactly_the_keys_that_debians_packer_does_not_know_are_cut(view: Path) -> None:
    full, cut = set(template.paths(the_source(PACKER))), set(template.paths(the_source(view)))
    assert full - cut == CUT
    assert not cut - full


def test_nothing_but_the_plugins_and_those_keys_differs(view: Path) -> None:
    def rest(folder: Path) -> list[str]:
        bodies = template.read(sorted(folder.glob("*.pkr.hcl")))
        return sorted(str({k: v for k, v in one.items() if k not in ("packer", "source")})
                      for one in bodies if set(one) - {"packer"})  # fmt: skip

    assert rest(view) == rest(PACKER)
    full, cut = the_source(PACKER), the_source(view)
    assert {key: value for key, value in full.items() if key in cut} == cut


@pytest.mark.parametrize("key", sorted(key for key in CUT - TAKEN_AND_IGNORED if "." not in key))
def test_debians_packer_refuses_the_keys_that_are_cut(view: Path, key: str) -> None:
    line = f"{key} {{\n  }}" if key == "metadata_options" else f'{key} = ""'
    [file] = [path for path in view.glob("*.pkr.hcl") if "ami_name" in path.read_text()]
    text = file.read_text()
    at = text.index("  ami_name")
    file.write_text(f"{text[:at]}  {line}\n{text[at:]}")
    ended = validate(view)
    assert ended.returncode != 0
    assert key in ended.stdout + ended.stderr


def test_the_amazon_plugin_knows_every_key_of_the_whole_template() -> None:
    known = set((KEYS / "amazon-1.8.2.txt").read_text().split())
    source = the_source(PACKER)
    assert set(source) - known == set()
    for block, allowed in NESTED.items():
        for body in source.get(block, []):
            assert set(body) - allowed == set(), block


def test_every_nested_block_of_the_template_has_its_list_of_keys() -> None:
    blocks = {key for key, value in the_source(PACKER).items()
              if isinstance(value, list) and value and isinstance(value[0], dict)}  # fmt: skip
    assert blocks - set(NESTED) == set()


def test_the_ansible_plugin_knows_every_key_of_the_whole_template() -> None:
    known = set((KEYS / "ansible-1.1.6.txt").read_text().split())
    found = template.provisioners(template.read(PACKER.glob("*.pkr.hcl")))
    bodies = [body for kind, body in found if kind == "ansible"]
    assert bodies
    for body in bodies:
        assert set(body) - known == set()


def test_no_credential_can_be_given_to_the_builder() -> None:
    source = the_source(PACKER)
    assert not {"access_key", "secret_key", "token", "iam_instance_profile", "profile"} & set(
        source
    )
    for _, body in template.provisioners(template.read(PACKER.glob("*.pkr.hcl"))):
        given = [*body.get("environment_vars", []), *body.get("ansible_env_vars", [])]
        assert not [one for one in given if one.upper().startswith(("AWS_", "PIP_"))]


def test_the_last_that_touches_the_builder_is_the_scrub() -> None:
    *_, (kind, body) = template.provisioners(template.read(PACKER.glob("*.pkr.hcl")))
    assert kind == "shell"
    assert body["script"].endswith("/scripts/scrub.sh")
