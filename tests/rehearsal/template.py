"""Packer's template, read without Packer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hcl2
from hcl2.utils import SerializationOptions

# Every string as it is written between its quotes, and nothing but the template's own keys.
_PLAIN = SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)

Body = Mapping[str, Any]


def read(files: Iterable[Path]) -> list[Body]:
    """The files of a template, each as a mapping of block types to lists of blocks."""
    return [hcl2.loads(path.read_text(), serialization_options=_PLAIN) for path in files]


def sources(template: Iterable[Body], kind: str) -> Iterator[Body]:
    """The bodies of the sources of a kind."""
    for file in template:
        for block in file.get("source", []):
            yield from block.get(kind, {}).values()


def provisioners(template: Iterable[Body]) -> Iterator[tuple[str, Body]]:
    """The kind and the body of each provisioner, in order."""
    for file in template:
        for build in file.get("build", []):
            for provisioner in build.get("provisioner", []):
                yield from provisioner.items()


def paths(value: object, below: str = "") -> Iterator[str]:
    """Every key in nested bodies, as `outer.inner`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            path = f"{below}.{key}" if below else str(key)
            yield path
            yield from paths(inner, path)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, below)
