"""Writable roots over trees that stay as they are: overlayfs, unmounted whatever happens."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


@contextmanager
def mounted(layers: Sequence[Path], folder: Path) -> Iterator[Path]:
    """The tree of the layers, topmost first, to read and to write; what is written goes to
    `folder`/upper and is found again by the next who mounts this folder. Raises OSError.
    """
    root, options = prepare(layers, folder)
    command = ["mount", "-t", "overlay", "overlay", "-o", options, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"cannot mount an overlay at {root}: {done.stderr.strip()}")
    try:
        yield root
    finally:
        # Lazily: something may still work in there, and the mount must go all the same.
        subprocess.run(["umount", "--lazy", "--recursive", str(root)], check=True)


def prepare(layers: Sequence[Path], folder: Path) -> tuple[Path, str]:
    """The place for the mount, made, and the options for it."""
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    paths = [*layers, folder]
    strange = [str(path) for path in paths if set(str(path)) & set(':,\\"')]
    if strange:
        raise OSError(f"overlayfs takes no path with a colon, comma, quote or backslash: {strange}")
    lower = ":".join(str(path) for path in layers)
    options = f"lowerdir={lower},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    return folder / "root", options
