"""A job's state for people: once, or live until it changes no more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from aws_parallelizer.aws.api import ApiError
from aws_parallelizer.cli.connection import Connection
from aws_parallelizer.core.money import dollars
from aws_parallelizer.core.outcome import State

EVERY_SECONDS = 1.0
_GONE_SECONDS = 900  # EC2 and SQS take a minute or two; so long means that something is wrong

Document = Mapping[str, Any]


def watch(
    connection: Connection,
    job: str,
    *,
    console: Console,
    until: Callable[[Document], bool] = lambda _: False,
) -> Document:
    """Show the job live until the condition holds of its document; the last one."""
    document: Document = connection.job(job)
    with Live(overview(document), console=console, auto_refresh=False) as live:
        while not until(document):
            time.sleep(EVERY_SECONDS)
            document = connection.job(job)
            live.update(overview(document), refresh=True)
    if not console.is_terminal:  # there, Live shows the last state alone, and no line end
        console.line()
    return document


def until_gone(connection: Connection, job: str, *, console: Console) -> None:
    """Wait until the API knows the job no more; raises ApiError when it takes too long."""
    deadline = time.monotonic() + _GONE_SECONDS
    with console.status(f"deleting {job}") as line:
        while time.monotonic() < deadline:
            try:
                told = connection.job(job)
            except ApiError as error:
                if error.status == 404:
                    return
                raise
            line.update(f"deleting {job}: {doing(told)}")
            time.sleep(EVERY_SECONDS)
    raise ApiError(f"{job} is still there; `status {job}` says why.", status=0, code="")


def overview(document: Document) -> RenderableType:
    """What a person wants to know of a job at a glance."""
    status = document["status"]
    counts = status["counts"]
    total = sum(counts.values())
    ended = total - counts[State.QUEUED] - counts[State.RUNNING]
    return Group(
        Text.assemble((document["job"], "bold"), f"  {status['state']}"),
        _progress(ended, total),
        Text(", ".join(f"{counts[state]} {state}" for state in State)),
        Text(_pace(status)),
        *([Text(money)] if (money := _money(status)) else []),
        *_instances(status["instances"]),
        Text(doing(document), style="italic"),
    )


def _progress(ended: int, total: int) -> Table:
    row = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=max(total, 1), completed=ended, width=40)
    row.add_row(bar, Text(f"{ended} of {total} ended"))
    return row


def doing(document: Document) -> str:
    """What the control plane is doing and why."""
    return str(document["status"]["line"])


def _pace(status: Document) -> str:
    facts = []
    if status.get("rate"):
        facts.append(_rate(status["rate"]))
    if status.get("etaSeconds"):
        facts.append(f"done in about {timedelta(seconds=round(status['etaSeconds']))}")
    queue = status.get("queue")
    if queue:
        waiting = queue["visible"] + queue["delayed"]
        facts.append(f"{waiting} messages waiting, {queue['inFlight']} in flight")
    return ", ".join(facts)


def _rate(rate: float) -> str:
    for unit, seconds in (("second", 1), ("minute", 60)):
        if rate * seconds >= 1:
            return f"{rate * seconds:.1f} tasks a {unit}"
    return f"{rate * 3600:.1f} tasks an hour"


def _money(status: Document) -> str:
    """What it costs: so far, a task, an hour, and in the end. Nothing before it is known."""
    if status.get("spent") is None:
        return ""
    least = "at least " if status["unpriced"] else ""
    facts = [f"{least}{dollars(status['spent'])} spent"]
    if status.get("dollarsPerTask"):
        facts.append(f"{dollars(status['dollarsPerTask'])} a task")
    if status.get("dollarsPerHour"):
        facts.append(f"{dollars(status['dollarsPerHour'])} an hour now")
    if status.get("forecast") is not None and status["forecast"] != status["spent"]:
        facts.append(f"about {dollars(status['forecast'])} when all is done")
    if status.get("budget") is not None:
        facts.append(f"{dollars(status['budgetLeft'])} of {dollars(status['budget'])} left")
    if status["unpriced"]:
        facts.append(f"no price known for {', '.join(status['unpriced'])}")
    return ", ".join(facts)


def _instances(instances: list[Document]) -> list[RenderableType]:
    if not instances:
        return []
    names = ("id", "type", "zone", "state")
    table = Table(*names, box=None, pad_edge=False)
    for instance in instances:
        table.add_row(*(Text(instance[name]) for name in names))
    return [table]
