"""Commands in the tree of a machine that is off, as if it ran."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

# Called as ssh is: the last argument is what the other side's login shell is to run. So Ansible can
# take it for ssh, and neither sshd nor keys come into the root. The mounts of a running machine are
# in a namespace of each call's own and end with it.
_SCRIPT = """#!/bin/sh
set -e
if [ "$1" != --inside ]; then exec unshare --mount -- "$0" --inside "$@"; fi
for last; do :; done
cd {root}
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mkdir -p run/systemd/resolve
cp /etc/resolv.conf run/systemd/resolve/stub-resolv.conf
[ -L etc/resolv.conf ] || mount --bind /etc/resolv.conf etc/resolv.conf
exec chroot . /bin/sh -c "$last"
"""


def script(root: Path, path: Path) -> Path:
    """Write the command that runs its last argument in the root."""
    path.write_text(_SCRIPT.format(root=shlex.quote(str(root))))
    path.chmod(0o755)
    return path


def run(
    root: Path, folder: Path, command: str, *, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a shell command as root in the root; `folder` is for what that needs, and `given` the
    command's input.
    """
    return subprocess.run(
        [str(script(root, folder / "inside")), command],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
