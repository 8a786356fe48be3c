"""The disk of a machine: a folder that the user of its programs can enter.

A worker that is root runs programs as another user. Where the way to the folder is shut to others,
as it is below /root, the folder is a link to one in /var/tmp.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
from pathlib import Path

from aws_parallelizer.worker.unprivileged import shut_to_others

log = logging.getLogger(__name__)

ELSEWHERE = Path("/var/tmp")  # noqa: S108  mkdtemp makes a folder of our own in it
FOR_ALL_TO_ENTER = 0o711


def make(folder: Path) -> None:
    """Make the disk unless it is there."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 or shut_to_others(folder.parent.absolute()) is None:
        folder.mkdir()
        return
    target = Path(tempfile.mkdtemp(prefix="parallelizer-disk-", dir=ELSEWHERE))
    target.chmod(FOR_ALL_TO_ENTER)
    folder.symlink_to(target)


def wipe(folder: Path) -> None:
    """Delete the disk, with the read-only folders that the worker makes of the environment."""
    target = Path(os.path.realpath(folder))
    try:
        for parent, _, _ in os.walk(target):
            Path(parent).chmod(stat.S_IRWXU)
        shutil.rmtree(target)
        folder.unlink(missing_ok=True)
    except FileNotFoundError:
        log.debug("%s was gone already", target)
    except OSError as error:
        # The machine has ended all the same; what stays is a folder in the local cloud's own.
        log.warning("cannot delete %s: %s", target, error)
