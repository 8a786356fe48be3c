"""Making a directory that a program had blank again: as it was when it was made, or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import NamedTuple

_SMALL_BYTES = 16 * 1024 * 1024  # the kernel takes its time to free what is larger


class Blank(NamedTuple):
    """What a directory is when it is blank: itself (inode, mode, owner, group), and the inode of
    each name in it.
    """

    itself: tuple[int, int, int, int]
    names: Mapping[str, int]


def look(directory: str) -> Blank:
    """The directory as it is now."""
    with os.scandir(directory) as entries:
        names = {entry.name: entry.inode() for entry in entries}
    return Blank(_itself(os.lstat(directory)), names)


def restore(directory: str, blank: Blank) -> bool:
    """Remove the small files and links that have come into the directory; whether it is blank now.

    False where it is another one, lacks something, or holds what takes long to remove. Nothing may
    write to it meanwhile.
    """
    try:
        # By descriptor: the path can have been bent.
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if _itself(os.fstat(opened)) != blank.itself:
            return False
        added, there = [], 0
        with os.scandir(opened) as entries:
            for entry in entries:
                if blank.names.get(entry.name) == entry.inode():
                    there += 1
                elif _is_small(entry):
                    added.append(entry.name)
                else:
                    return False
        if there != len(blank.names):
            return False
        for name in added:
            os.unlink(name, dir_fd=opened)
    except OSError:
        return False
    finally:
        os.close(opened)
    return True


def _itself(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_ino, found.st_mode, found.st_uid, found.st_gid


def _is_small(entry: os.DirEntry[str]) -> bool:
    if not entry.is_file(follow_symlinks=False):
        return entry.is_symlink()
    found = entry.stat(follow_symlinks=False)
    return stat.S_ISREG(found.st_mode) and found.st_size <= _SMALL_BYTES
