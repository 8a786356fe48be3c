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

_SMALL_BYTES = (
    16 * 1024 * 1024
)  # the kernel frees a larger file slowly enough to keep the loop waiting
_ROUNDS = 10


def of_flat(directory: Path) -> bool:
    """Remove a directory that holds nothing but small files and links; whether it is gone. If not,
    some of it may be.
    """
    try:
        # By descriptor: the path of a directory can be bent as long as a program of it lives.
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False  # moved, or closed to us: the removal in full takes care of it
    try:
        with os.scandir(opened) as entries:
            names = [entry.name if _is_small(entry) else "" for entry in entries]
        if not all(names):
            return False
        for name in names:
            os.unlink(name, dir_fd=opened)
        directory.rmdir()
    except OSError:
        return False  # likewise
    finally:
        os.close(opened)
    return True


def _is_small(entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink():
        return True
    if entry.is_dir():
        return False
    return entry.stat(follow_symlinks=False).st_size <= _SMALL_BYTES


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
