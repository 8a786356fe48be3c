"""Metrics as lines of the log, in CloudWatch's embedded metric format.

One line a run of reconcile (dimension Stack) and one for each job that has something to say
(dimensions Stack and Job). CloudWatch makes metrics of them without a call or a permission.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from aws_parallelizer.core.embedded_metrics import document

_COUNT = "Count"
_DOLLARS = "None"  # CloudWatch knows no unit for money


@dataclass(frozen=True, kw_only=True)
class JobNumbers:
    """What a tick saw and did of one job; None = not known, and then not said. `queued` = messages
    that wait, `in_flight` = those that workers hold; `refused` = refusals by their class;
    `misgiven` = instances that are on-demand where spot was asked for.
    """

    job: str
    queued: int | None = None
    in_flight: int | None = None
    running: int = 0
    pending: int = 0
    launched: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    misgiven: int = 0
    spent: float | None = None
    added: float = 0.0
    stuck: bool = False

    @property
    def says_something(self) -> bool:
        """Whether anything is there or happened."""
        numbers = (self.queued, self.in_flight, self.running, self.pending, self.launched)
        return any(numbers) or any(self.refused.values()) or self.added > 0 or self.stuck


def run_line(
    *, stack: str, now: datetime, jobs: Iterable[JobNumbers], failed: int = 0
) -> dict[str, Any]:
    """The document of one run; `failed` = jobs whose tick failed. Said even without jobs: that
    reconcile runs at all is what an alarm watches.
    """
    every = list(jobs)
    values = {
        "ReconcileRuns": (1, _COUNT),
        "JobsFailed": (failed, _COUNT),
        "JobsStuck": (sum(each.stuck for each in every), _COUNT),
        **_shared(every),
    }
    return document(values, {"Stack": stack}, now=now)


def job_line(numbers: JobNumbers, *, stack: str, now: datetime) -> dict[str, Any]:
    """The document of one job."""
    values = {"Stuck": (int(numbers.stuck), _COUNT), **_shared([numbers])}
    if numbers.spent is not None:
        values["SpentTotal"] = (numbers.spent, _DOLLARS)
    return document(values, {"Stack": stack, "Job": numbers.job}, now=now)


@dataclass
class Log:
    """One run of reconcile: its jobs' numbers are said as they come, and its own at the end."""

    stack: str
    jobs: list[JobNumbers] = field(default_factory=list)
    failed: int = 0

    def tell(self, numbers: JobNumbers, *, now: datetime) -> None:
        """Say a job's numbers if they say something, and keep them for the run's."""
        self.jobs.append(numbers)
        if numbers.says_something:
            say(job_line(numbers, stack=self.stack, now=now))

    def close(self, *, now: datetime) -> None:
        """Say the run's numbers."""
        say(run_line(stack=self.stack, now=now, jobs=self.jobs, failed=self.failed))


def say(document: Mapping[str, Any]) -> None:
    """Write it to the log. Standard output, for a logger would put its own words before it."""
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


def _shared(jobs: list[JobNumbers]) -> dict[str, tuple[float, str]]:
    queued = [each.queued for each in jobs if each.queued is not None]
    flying = [each.in_flight for each in jobs if each.in_flight is not None]
    values: dict[str, tuple[float, str]] = {
        "RunningInstances": (sum(each.running for each in jobs), _COUNT),
        "PendingInstances": (sum(each.pending for each in jobs), _COUNT),
        "Launched": (sum(each.launched for each in jobs), _COUNT),
        "Spent": (sum(each.added for each in jobs), _DOLLARS),
    }
    if queued:
        values["QueueDepth"] = (sum(queued), _COUNT)
        values["OpenTasks"] = (sum(queued) + sum(flying), _COUNT)
    if misgiven := sum(each.misgiven for each in jobs):
        values["OnDemandForSpot"] = (misgiven, _COUNT)
    for each in jobs:
        for kind, count in each.refused.items():
            name = f"Refused{kind.title()}"
            values[name] = (values.get(name, (0, _COUNT))[0] + count, _COUNT)
    return values
