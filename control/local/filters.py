"""EC2's filters, pure: all of them must match, each by one of its values, in which * and ? are
wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Filters = Mapping[str, Sequence[str]]
Getter = Callable[[Mapping[str, Any]], Sequence[str]]


class UnknownFilter(Exception):
    """EC2 refuses a filter that it does not know."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"The filter '{name}' is invalid")


def field(*path: str) -> Getter:
    """The text at a path of keys, if there is one."""

    def get(entry: Mapping[str, Any]) -> Sequence[str]:
        value: Any = entry
        for key in path:
            value = (value or {}).get(key)
        return [] if value is None else [str(value)]

    return get


def matches(entry: Mapping[str, Any], filters: Filters, *, getters: Mapping[str, Getter]) -> bool:
    """Whether the described thing passes; its tags are under `Tags`."""
    return all(
        _passes(_values(entry, name, getters=getters), wanted) for name, wanted in filters.items()
    )


def _values(entry: Mapping[str, Any], name: str, *, getters: Mapping[str, Getter]) -> Sequence[str]:
    tags: Sequence[Mapping[str, str]] = entry.get("Tags", ())
    if name.startswith("tag:"):
        return [tag["Value"] for tag in tags if tag["Key"] == name.removeprefix("tag:")]
    if name == "tag-key":
        return [tag["Key"] for tag in tags]
    if name not in getters:
        raise UnknownFilter(name)
    return getters[name](entry)


def _passes(values: Sequence[str], wanted: Sequence[str]) -> bool:
    patterns = [_pattern(text) for text in wanted]
    return any(pattern.fullmatch(value) for pattern in patterns for value in values)


def _pattern(wanted: str) -> re.Pattern[str]:
    """A backslash takes the meaning from a wildcard."""
    parts = re.findall(r"\\.|.", wanted, flags=re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return re.compile(
        "".join(wild.get(part) or re.escape(part.removeprefix("\\")) for part in parts),
        flags=re.DOTALL,
    )
