"""Writes the tables of the documentation that the code knows better: `python docs/tables.py`.

A test fails while a document says something else than the code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from aws_parallelizer.core import outcome, parameters, values
from aws_parallelizer.core.parameters import NAMES, SPECS, Parameters

DOCS = Path(__file__).parent


def parameter_table() -> str:
    """Every parameter with its default and meaning."""
    defaults = {
        field.name: field.default
        for field in msgspec.structs.fields(Parameters)
        if not field.required
    }

    def default(field: str) -> str:
        if field in parameters.REQUIRED:
            return "required"
        value = defaults[field]
        return f"`{values.show(value)}`" if value not in (None, "") else ""

    rows = ((f"`{name}`", default(field), SPECS[field].meaning) for name, field in NAMES.items())
    return _table(("name", "default", "meaning"), rows)


def outcome_table() -> str:
    """Every outcome of an attempt, from the table in the module that declares them."""
    rows = re.findall(r"^([a-z-]+) +(yes|no) +(.+)$", str(outcome.__doc__), re.MULTILINE)
    return _table(("outcome", "counted", "meaning"), ((f"`{n}`", c, m) for n, c, m in rows))


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


TABLES: dict[str, Callable[[], str]] = {
    "parameters.md": parameter_table,
    "outcomes.md": outcome_table,
}


def filled(text: str, table: str) -> str:
    """The document with its table, the lines that begin with `|`, as the code has it."""
    return re.sub(r"(^\|.*\n)+", lambda _: table, text, count=1, flags=re.MULTILINE)


def main() -> None:
    """Write them all."""
    for name, table in TABLES.items():
        path = DOCS / name
        path.write_text(filled(path.read_text(), table()))


if __name__ == "__main__":
    main()
