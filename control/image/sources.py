"""What the image is made from: the worker's version and commit."""

from __future__ import annotations

import subprocess

import aws_parallelizer
from image.saying import REPOSITORY

_SHORT = 12  # characters of a commit's name


def version() -> str:
    """The worker's."""
    return aws_parallelizer.__version__


def commit() -> str:
    """The commit that is checked out, with `-changed` where files differ from it; `unknown` outside
    of a repository.
    """
    name = _git("rev-parse", f"--short={_SHORT}", "HEAD")
    if not name:
        return "unknown"
    changed = _git("status", "--porcelain", "--", "worker", "packer", "ansible", "pyproject.toml")
    return f"{name}-changed" if changed else name


def _git(*arguments: str) -> str:
    try:
        ended = subprocess.run(
            ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""  # an unpacked archive, on a machine without git
    return ended.stdout.strip()
