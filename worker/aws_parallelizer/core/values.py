"""How one parameter's text becomes a value: each reader takes text or raises ValueError(what is
allowed).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import jmespath
from jmespath.exceptions import JMESPathError

Value = str | int | float | bool | tuple[str, ...]
Reader = Callable[[str], Value]

# EC2's classic instance types as the Java SDK's enumeration spelled them: M1Small, Cc14xlarge.
_JAVA_INSTANCE_TYPE = re.compile(r"([A-Z][a-z]*)(\d)(\d*[A-Za-z]+)")


def whole(low: int, high: int, *, unit: str = "") -> Reader:
    """A whole number from `low` to `high`."""
    allowed = f"a whole number from {low} to {high}" + (f" ({unit})" if unit else "")

    def read(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise ValueError(allowed)
        return int(text)

    return read


def dollars(text: str) -> float:
    """A positive number of dollars."""
    allowed = "a number of dollars above 0, such as 0.25"
    if not re.fullmatch(r"[0-9]*\.?[0-9]+([eE][+-]?[0-9]{1,3})?", text):
        raise ValueError(allowed)
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError(allowed)
    return value


def truth(text: str) -> bool:
    """`true` or `false`."""
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return text.lower() == "true"


def one_of(*names: str, also: dict[str, str] | None = None) -> Reader:
    """One of a few words; `also` maps old spellings to today's."""

    def read(text: str) -> str:
        word = (also or {}).get(text, text)
        if word not in names:
            raise ValueError(" or ".join(names))
        return word

    return read


def pattern(expression: str, allowed: str) -> Reader:
    """Text that matches a regular expression as a whole."""
    compiled = re.compile(expression)

    def read(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(allowed)
        return text

    return read


def key_text(text: str) -> str:
    """An object key or a prefix: at most 1,024 bytes of UTF-8."""
    if len(text.encode(errors="surrogatepass")) > 1024 or any(
        "\ud800" <= c <= "\udfff" for c in text
    ):
        raise ValueError("at most 1,024 bytes of UTF-8")
    return text


def folder(text: str) -> str:
    """A relative folder in the environment zip, without `..`; a trailing slash is dropped."""
    trimmed = key_text(text).rstrip("/")
    if text and (text.startswith("/") or not trimmed or ".." in trimmed.split("/")):
        raise ValueError("a folder inside the zip, such as environment, without ..")
    return trimmed


def program(text: str) -> str:
    """A file below the environment's folder, as `./<text>` runs it."""
    parts = key_text(text).split("/")
    if not text or text.startswith("/") or ".." in parts or not parts[-1]:
        raise ValueError("a file inside the environment, such as run.sh, without ..")
    return text


def several(reader: Reader) -> Reader:
    """A comma-separated list, each of its items read by `reader`."""

    def read(text: str) -> tuple[str, ...]:
        items = [item.strip() for item in text.split(",")]
        return tuple(str(reader(item)) for item in items)

    return read


def instance_type(text: str) -> str:
    """An EC2 instance type; the Java program's spelling (`M1Small`) is taken too."""
    old = _JAVA_INSTANCE_TYPE.fullmatch(text)
    name = f"{old[1]}{old[2]}.{old[3]}".lower() if old else text
    if not re.fullmatch(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", name):
        raise ValueError("one or several instance types, comma-separated, such as c7i.large")
    return name


def query(text: str) -> str:
    """A JMESPath expression."""
    try:
        jmespath.compile(text)
    except (JMESPathError, RecursionError) as error:
        raise ValueError(
            f"a JMESPath expression over key, size and etag ({error!s:.120})"
        ) from error
    return text


def show(value: Value | Sequence[str]) -> str:
    """The text that reads back as `value`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return repr(value)
    return ",".join(value)
