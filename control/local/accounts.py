"""The demo's accounts: whether each file that went in is accounted for, and what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from aws_parallelizer.cli.transfer import shown
from aws_parallelizer.core.fleet import Instance, SpotRequest
from aws_parallelizer.core.outcome import OPEN, State

_NAMED = 10  # so many keys of a kind are shown; `aws-parallelizer tasks` has them all


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of the files. `failed` are keys with reasons, `missing` are outputs of done tasks
    that were not downloaded.
    """

    sent: int
    states: Mapping[str, int]
    outputs: int
    unaccounted: Sequence[str]
    failed: Sequence[str]
    missing: Sequence[str]

    @property
    def balanced(self) -> bool:
        """Whether done + failed + skipped is what was sent, and every output is here."""
        return not self.unaccounted and not self.missing


@dataclass(frozen=True, kw_only=True)
class Left:
    """A job's fleet after its end: how many there were, and the ids of those that still are."""

    requests: int
    instances: int
    open_requests: Sequence[str]
    live_instances: Sequence[str]

    @classmethod
    def of(cls, *, requests: Sequence[SpotRequest], instances: Sequence[Instance]) -> Left:
        """As EC2 describes them."""
        return cls(
            requests=len(requests),
            instances=len(instances),
            open_requests=[r.id for r in requests if r.state in ("open", "active", "disabled")],
            live_instances=[i.id for i in instances if i.state != "terminated"],
        )

    @property
    def nothing(self) -> bool:
        """Whether nothing is left that would cost money, now or later."""
        return not self.open_requests and not self.live_instances


def audit(
    *, sent: Iterable[str], tasks: Iterable[Mapping[str, Any]], fetched: Mapping[str, int]
) -> Report:
    """Compare the keys that were uploaded, the ledger's tasks, and the outputs with their sizes."""
    rows = {task["key"]: task for task in tasks}
    wanted = set(sent)
    ended = {key for key, task in rows.items() if task["state"] not in OPEN}
    outputs = [output for task in rows.values() for output in task.get("outputs", [])]
    return Report(
        sent=len(wanted),
        states=Counter(task["state"] for task in rows.values()),
        outputs=len(outputs),
        unaccounted=sorted(wanted ^ ended),
        failed=sorted(_reason(task) for task in rows.values() if task["state"] == State.FAILED),
        missing=sorted(
            output["key"] for output in outputs if fetched.get(output["key"]) != output["size"]
        ),
    )


def _reason(task: Mapping[str, Any]) -> str:
    last_words = task.get("lastOutput", "").strip().rpartition("\n")[2]
    return f"{task['key']}: {task.get('reason') or task['outcome']}: {last_words}"


def summary(report: Report, left: Left, *, seconds: float) -> Table:
    """The accounts as a table, what is wrong in red."""
    table = Table(
        box=None, show_header=False, pad_edge=False, title="Accounts", title_justify="left"
    )
    table.add_row("files uploaded", str(report.sent))
    for state in (State.DONE, State.FAILED, State.SKIPPED):
        table.add_row(f"  {state}", str(report.states.get(state, 0)))
    table.add_row("outputs downloaded", str(report.outputs - len(report.missing)))
    table.add_row("spot requests", f"{left.requests} made, {len(left.open_requests)} left")
    table.add_row("instances", f"{left.instances} run, {len(left.live_instances)} left")
    table.add_row("seconds", f"{seconds:.0f}")
    for label, keys in (
        ("failed", report.failed),
        ("NOT ACCOUNTED FOR", report.unaccounted),
        ("OUTPUT MISSING", report.missing),
        ("STILL THERE", [*left.open_requests, *left.live_instances]),
    ):
        for key in keys[:_NAMED]:
            table.add_row(Text(label, style="red"), Text(shown(key)))
        if len(keys) > _NAMED:
            table.add_row(Text(label, style="red"), f"and {len(keys) - _NAMED} more")
    return table
