"""Removing what programs left, whatever they did to it."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_ROUNDS = 10


def in_full(root: Path) -> None:
    """Remove a tree. What resists is logged, and left to the next start."""
    if os.geteuid() != 0:
        shutil.rmtree(root, onerror=_open_and_again)
        return
    # Root needs no permission, and must follow no path that a program can still bend: rmtree goes
    # from directory to directory by descriptor. What is made meanwhile takes another round.
    for _ in range(_ROUNDS):
        shutil.rmtree(root, ignore_errors=True)
        if not os.path.lexists(root):
            return
    log.error("%s cannot be removed and takes up space until the next start", root)


def _open_and_again(_call: Callable[..., Any], path: str, _error: object) -> None:
    # A program may have left directories without the permissions to remove what is in them.
    parent = Path(path).parent
    try:
        for closed in (parent, Path(path)):
            if not closed.is_symlink() and closed.is_dir():
                closed.chmod(stat.S_IRWXU)
        if Path(path).is_symlink() or not Path(path).is_dir():
            Path(path).unlink(missing_ok=True)
        else:
            shutil.rmtree(path)
    except OSError:
        log.exception("%s cannot be removed and takes up space until the next start", path)
