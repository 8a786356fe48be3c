"""Which files a program named as its outputs.

A line of its standard output that names an existing file or directory inside the scratch directory
is one. What names nothing, the scratch directory itself, or the environment that shows in it, is
just a word. What leads outside is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from aws_parallelizer.core.errors import BadOutput
from aws_parallelizer.worker.environment import Environment

MAX_FILES = 100_000


class OutputFile(NamedTuple):
    """A regular file to be stored, and its name below the scratch directory."""

    path: Path
    name: str


def is_named(line: bytes, work: bytes) -> bool:
    """Whether there is something that the line names."""
    return bool(_named(line, work)[0])


def _named(line: bytes, work: bytes) -> tuple[bytes, int]:
    """The path that a line names, empty = nothing is there, and its mode. A trailing CR is part of
    it only if the file has it too.
    """
    for candidate in (line, line.removesuffix(b"\r")):
        if candidate and b"\0" not in candidate:
            path = os.path.join(work, candidate)  # noqa: PTH118 - bytes
            try:
                return path, os.lstat(path).st_mode
            except OSError:
                continue  # there is nothing that a program could mean
    return b"", 0


def find(lines: Iterable[bytes], *, work: Path, shown: Environment) -> list[OutputFile]:
    """The outputs, each once, in their order; raises BadOutput. `work` has no links in it."""
    found: dict[str, OutputFile] = {}
    root = os.fsencode(work)
    for line in lines:
        path, mode = _named(line, root)
        if not path:
            continue
        if stat.S_ISREG(mode) and path.rpartition(b"/")[0] == root:
            # What most lines name: it lies in the scratch directory itself, so there is nothing to
            # resolve.
            name = os.fsdecode(path)
            files: Iterable[OutputFile] = (OutputFile(work / name, _utf8(name.rpartition("/")[2])),)
        else:
            files = _meant(path, line, work=work, shown=shown)
        for file in files:
            found.setdefault(file.name, file)
            if len(found) > MAX_FILES:
                raise BadOutput(f"more than {MAX_FILES:,} output files")
    return list(found.values())


def _meant(path: bytes, line: bytes, *, work: Path, shown: Environment) -> Iterable[OutputFile]:
    place = _place(path)
    if place == work or _is_shown(place, root=work, shown=shown):
        return ()
    if not place.is_relative_to(work):
        raise BadOutput(f"the output {_text(line)} lies outside the scratch directory")
    return _files(place, root=work, above=())


def _place(path: bytes) -> Path:
    # Everything but the last part is resolved: a link that is named keeps its own name.
    head, tail = os.path.split(path.rstrip(b"/") or b"/")
    if tail in (b"", b".", b".."):
        return Path(os.fsdecode(os.path.realpath(path)))
    return Path(os.fsdecode(os.path.realpath(head)), os.fsdecode(tail))


def _is_shown(place: Path, *, root: Path, shown: Environment) -> bool:
    if place.is_relative_to(shown.folder):
        return True
    return (
        place.parent == root
        and place.name in shown.names
        and place.is_symlink()
        and place.readlink() == shown.folder / place.name
    )


def _files(place: Path, *, root: Path, above: tuple[Path, ...]) -> Iterator[OutputFile]:
    name = str(place.relative_to(root))
    try:
        real = place.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, until Python 3.12
        raise BadOutput(f"the output {_text(name)} is a link to nothing: {error}") from error
    if not real.is_relative_to(root):
        raise BadOutput(f"the output {_text(name)} leads outside the scratch directory")
    mode = real.stat().st_mode
    if stat.S_ISDIR(mode):
        if real in above or real == root:
            raise BadOutput(f"the output {_text(name)} is a loop of links")
        for inner in sorted(place.iterdir()):
            yield from _files(inner, root=root, above=(*above, real))
    elif stat.S_ISREG(mode):
        yield OutputFile(place, _utf8(name))
    else:
        raise BadOutput(f"the output {_text(name)} is no regular file")


def _utf8(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise BadOutput(f"the output name {_text(name)} is not UTF-8") from error
    return name


def _text(name: str | bytes) -> str:
    return ascii(os.fsdecode(name))[:200]
