"""The playbook and the roles, read but not run; `make check` lints them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ANSIBLE = Path(__file__).parents[2] / "ansible"
ROLES = sorted(path.name for path in (ANSIBLE / "roles").glob("*"))


def test_the_playbook_is_one_that_ansible_can_read() -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["ansible-playbook", "--syntax-check", "--inventory", "localhost,", "site.yml"],
        cwd=ANSIBLE,
        env={**os.environ, "PATH": path, "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_playbook_applies_every_role() -> None:
    [play] = yaml.safe_load((ANSIBLE / "site.yml").read_text())
    named = [one if isinstance(one, str) else one["role"] for one in play["roles"]]
    assert sorted(named) == ROLES


@pytest.mark.parametrize("role", ROLES)
def test_each_default_of_a_role_is_described_and_nothing_else_is(role: str) -> None:
    folder = ANSIBLE / "roles" / role
    defaults = yaml.safe_load((folder / "defaults" / "main.yml").read_text()) or {}
    specs = yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text())
    options = specs["argument_specs"]["main"].get("options", {})
    described = {name for name, option in options.items() if option.get("description")}
    required = {name for name, option in options.items() if option.get("required")}
    assert set(defaults) | required == described == set(options)
    assert not set(defaults) & required
