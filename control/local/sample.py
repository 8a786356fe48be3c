"""Real text files for the demo: those that every machine with Python has."""

from __future__ import annotations

import itertools
import sysconfig
from collections.abc import Iterator
from pathlib import Path

FILES = 300
MAX_BYTES = 200_000

_REPOSITORY = Path(__file__).parents[2]
_LICENCES = Path("/usr/share/common-licenses")
_LIBRARY = Path(sysconfig.get_path("stdlib"))


def gather(folder: Path) -> Path:
    """A tree of links in `folder` to about FILES text files; `folder`."""
    for name, source in itertools.islice(_found(), FILES):
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)
    return folder


def _found() -> Iterator[tuple[Path, Path]]:
    """This project's documentation, the licences of Linux, then Python's own library."""
    for label, root, pattern in (
        ("docs", _REPOSITORY, "*.md"),
        ("docs", _REPOSITORY / "docs", "**/*.md"),
        ("licences", _LICENCES, "*"),
        ("python", _LIBRARY, "*.py"),
        ("python", _LIBRARY, "[a-z]*/*.py"),
    ):
        for path in sorted(root.glob(pattern)):
            if path.is_file() and path.stat().st_size <= MAX_BYTES:
                yield Path(label, path.relative_to(root)), path
