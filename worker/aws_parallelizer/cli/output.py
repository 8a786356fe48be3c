"""What commands print: answers on standard output, all else on standard error."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aws_parallelizer.cli.doctor.finding import Finding, Verdict
from aws_parallelizer.cli.transfer import shown
from aws_parallelizer.cli.watching import overview

_COLOURS = {
    Verdict.OK: typer.colors.GREEN,
    Verdict.WARNING: typer.colors.YELLOW,
    Verdict.FAILED: typer.colors.RED,
    Verdict.NOT_CHECKED: typer.colors.CYAN,
}


def console() -> Console:
    """For answers."""
    return Console(highlight=False)


def progress() -> Console:
    """For progress bars."""
    return Console(stderr=True, highlight=False)


def say(sentence: str) -> None:
    """How it went."""
    typer.echo(sentence)


def warn(sentences: Iterable[str]) -> None:
    """What the user should know and need not act on."""
    for sentence in sentences:
        typer.echo(f"Warning: {sentence}", err=True)


def ask(question: str, *, yes: bool) -> None:
    """Go on only after a yes; Ctrl-C and an empty input are none."""
    if not yes:
        typer.confirm(question, abort=True, err=True)


def created(document: Mapping[str, Any]) -> None:
    """The job as it now stands, and what comes next."""
    warn(document.get("warnings", []))
    parameters = document["parameters"]
    say(f"Job {document['job']} is ready.")
    say(f"  inputs   s3://{parameters['inputBucket']}/{parameters['inputPrefix']}")
    say(f"  outputs  s3://{parameters['outputBucket']}/{parameters['outputPrefix']}")


def job(document: Mapping[str, Any], *, as_json: bool) -> None:
    """One job."""
    if as_json:
        _json(document)
    else:
        console().print(overview(document))


def jobs(document: Mapping[str, Any], *, as_json: bool) -> None:
    """All jobs, a line each."""
    if as_json:
        _json(document)
        return
    entries = [(entry["job"], entry["status"]) for entry in document["jobs"]]
    _table(
        ("job", "state", "instances", "what it is doing"),
        ((job, told["state"], told["instanceCount"], told["line"]) for job, told in entries),
    )


def tasks(pages: Iterable[Mapping[str, Any]], *, as_json: bool) -> None:
    """All tasks: a table page by page, or a JSON document a line."""
    if as_json:
        for entry in itertools.chain.from_iterable(page["tasks"] for page in pages):
            _json(entry)
        return
    names = ("key", "state", "outcome", "attempts", "seconds", "instance")
    entries = itertools.chain.from_iterable(page["tasks"] for page in pages)
    _table(names, ([entry.get(name) for name in names] for entry in entries))


def task(document: Mapping[str, Any], *, as_json: bool) -> None:
    """One task: every field a line, the program's last output below."""
    if as_json:
        _json(document)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in document.items():
        if name not in ("outputs", "lastOutput") and value not in (None, ""):
            table.add_row(Text(name, style="bold"), _cell(value))
    for output in document.get("outputs", []):
        table.add_row(Text("output", style="bold"), _cell(f"{output['key']} ({output['size']} B)"))
    console().print(table)
    if document.get("lastOutput"):
        say("\n" + "\n".join(shown(line) for line in document["lastOutput"].splitlines()))


def findings(found: Iterable[Finding], *, as_json: bool) -> list[Finding]:
    """A line for each finding as it is made, or a JSON document a line; all of them."""
    seen = []
    for finding in found:
        seen.append(finding)
        if as_json:
            _json(finding)
        else:
            verdict = typer.style(f"{finding.verdict:<12}", fg=_COLOURS[finding.verdict])
            told = f"{finding.cause} {finding.cure}".rstrip()
            typer.echo(f"{verdict}{finding.name:<19}{shown(told)}")
    return seen


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    table = Table(*names, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console().print(table)


def _cell(value: object) -> Text:
    # Text, for a str would be read as rich's markup: keys may hold brackets.
    return Text("" if value is None else shown(str(value)), overflow="fold")


def _json(document: object) -> None:
    typer.echo(msgspec.json.encode(document).decode())
