"""The template as Packer before 1.7 takes it: Debian 12 has such a Packer, and tests build with it.

Old Packer knows no `packer` block and refuses what it does not know. The block stands in a file of
its own, which is left out; settings that are newer stand between two marker comments, and are cut.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from image.saying import REPOSITORY, ImageFailed

NEW_PLUGINS = "plugins.pkr.hcl"
_OPEN = "# >>> packer 1.7+"
_CLOSE = "# <<< packer 1.7+"
_SEEN_FROM_TEMPLATE = ("ansible", "control", "worker")  # what `${path.root}/..` leads to


def view(to: Path, *, repository: Path = REPOSITORY) -> Path:
    """Write the folder `to` anew; the template's folder in it. What else the template uses is
    linked. Raises ImageFailed where the markers do not match.
    """
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    template = to / "packer"
    left_out = shutil.ignore_patterns(NEW_PLUGINS, ".terraform*", "packer_cache")
    shutil.copytree(repository / "packer", template, ignore=left_out)
    for path in template.glob("*.pkr.hcl"):
        kept, _ = cut(path.read_text(), source=path.name)
        path.write_text(kept)
    for name in _SEEN_FROM_TEMPLATE:
        (to / name).symlink_to(repository / name)
    return template


def cut(text: str, *, source: str = "template") -> tuple[str, list[str]]:
    """The text without what is marked, and the lines that were; raises ImageFailed."""
    kept: list[str] = []
    marked: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        words = line.strip()
        if words in (_OPEN, _CLOSE):
            if (words == _OPEN) == inside:
                raise ImageFailed(f"{source}: {words!r} where it has no counterpart")
            inside = words == _OPEN
        else:
            (marked if inside else kept).append(line)
    if inside:
        raise ImageFailed(f"{source}: {_OPEN!r} is never closed")
    return "".join(kept), marked


def keys(lines: list[str]) -> list[str]:
    """The names of the settings and blocks in those lines, in their order."""
    found = (re.match(r"\s*([a-z_]+)\s*(?:=|\{)", line) for line in lines)
    return [match[1] for match in found if match]
