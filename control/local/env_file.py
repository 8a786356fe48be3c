"""`.local/env`: that the local cloud is ready, and how to reach it, as lines for a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path


def write(path: Path, values: Mapping[str, str]) -> None:
    """All of it at once: who sees the file sees the whole."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(
        "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
    )
    new.replace(path)


def read(path: Path) -> dict[str, str]:
    """The values; raises FileNotFoundError when no local cloud is ready."""
    words = [word for line in path.read_text().splitlines() for word in shlex.split(line)[1:]]
    return dict(word.split("=", 1) for word in words)
