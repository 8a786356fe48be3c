"""The playbook run on a root without a machine around it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rehearsal import inside

REPOSITORY = Path(__file__).parents[2]
ANSIBLE = REPOSITORY / "ansible"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What a run of the playbook came to: how it ended, and the tasks that changed something."""

    code: int
    changes: list[str]
    said: str


def play(root: Path, folder: Path, *, variables: Mapping[str, str]) -> Run:
    """Run site.yml on the tree of a machine that is off."""
    folder.mkdir(parents=True, exist_ok=True)
    ssh = inside.script(root, folder / "ssh")
    given = {**variables, "ansible_python_interpreter": "/usr/bin/python3"}
    ended = subprocess.run(
        ["ansible-playbook", str(ANSIBLE / "site.yml"), "-i", "root,", "-e", json.dumps(given)],
        env=_environment(ssh, folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = ended.stdout + ended.stderr
    return Run(code=ended.returncode, changes=_changes(ended.stdout), said=said)


def _changes(said: str) -> list[str]:
    """The names of the tasks and handlers that changed the root, in order."""
    name, found = "", []
    for line in said.splitlines():
        if heading := re.match(r"(?:TASK|RUNNING HANDLER) \[(.*)\]", line):
            name = heading[1]
        elif line.startswith("changed: [root]"):
            found.append(name)
    return found


def _environment(ssh: Path, folder: Path) -> dict[str, str]:
    """Ansible's ssh connection with that script in ssh's place."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_SSH_EXECUTABLE": str(ssh),
        "ANSIBLE_SSH_TRANSFER_METHOD": "piped",
        "ANSIBLE_SSH_ARGS": "",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_NOCOLOR": "1",
    }
