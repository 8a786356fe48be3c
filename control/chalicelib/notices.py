"""What `notify` is told: an SNS topic hears once of each thing that happens to a job.

Deciding is pure: an event is told while it holds and was not told yet, and is forgotten when it
holds no more, so that it is told again when it happens anew. A topic that cannot be told is tried
again by the next tick: what was not told stays in the fleet's row.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from aws_parallelizer.aws import sns
from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.core import money
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.outcome import State
from aws_parallelizer.core.spending import Spending

log = logging.getLogger(__name__)


class Event(StrEnum):
    """What a topic is told of."""

    DRAINED = "drained"
    STOPPED = "stopped"
    BUDGET = "budget"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a tick knows. `drained` = no work is left and nothing runs; `working` = there surely is
    work again; `stopped` = a person stopped it and nothing runs any more; `held` = it is stopped
    by a person, whether or not all is gone yet; `misconfigured` = why EC2 refuses every launch.
    """

    drained: bool = False
    working: bool = False
    stopped: bool = False
    held: bool = False
    overspent: bool = False
    misconfigured: str = ""


class News(NamedTuple):
    """Events that the topic is yet to be told of; those that it was told of and that still hold."""

    untold: tuple[str, ...]
    told: tuple[str, ...]


def news(told: tuple[str, ...], facts: Facts) -> News:
    """What is to be told now. An event holds until its contrary is known: a reading that failed is
    no news.
    """
    begun = {
        Event.DRAINED: facts.drained,
        Event.STOPPED: facts.stopped,
        Event.BUDGET: facts.overspent,
        Event.CONFIGURATION: bool(facts.misconfigured),
    }
    over = {
        Event.DRAINED: facts.working,
        Event.STOPPED: not facts.held,
        Event.BUDGET: not facts.overspent,
        Event.CONFIGURATION: not facts.misconfigured,
    }
    kept = tuple(event for event in told if event in list(Event) and not over[Event(event)])
    return News(tuple(event for event in Event if begun[event] and event not in kept), kept)


def tell(
    client: Any,
    job: Job,
    due: News,
    *,
    stack: str,
    counts: Mapping[State, int],
    spending: Spending,
    sentence: str,
) -> tuple[News, str]:
    """Tell the job's topic what is due: what is left to be told, and a sentence on why (empty where
    all is told). Never raises what SNS raises.

    A job that never had a task has not drained: that is noted and not told.
    """
    topic = str(job.parameters.notify)
    told, untold, trouble = list(due.told), [], ""
    for name in due.untold:
        event = Event(name)
        if event is Event.DRAINED and not any(counts.values()):
            told.append(event)
            continue
        try:
            sns.publish(
                client,
                topic,
                subject=f"{stack}: job {job.name} {_WORDS[event]}",
                text=_text(job, event, counts=counts, spending=spending, sentence=sentence),
                attributes=_attributes(job, event, stack, counts=counts, spending=spending),
            )
        except CALL_FAILED as error:
            # It stays untold: the next tick tries again.
            log.warning("job %s: %s could not be told of %s: %s", job.name, topic, event, error)
            trouble = f"notify could not be told: {error}"[:300]
            untold.append(event)
        else:
            log.info("job %s: told %s of %s", job.name, topic, event)
            told.append(event)
    return News(tuple(untold), tuple(told)), trouble


_WORDS = {
    Event.DRAINED: "has no work left",
    Event.STOPPED: "is stopped",
    Event.BUDGET: "has spent its budget",
    Event.CONFIGURATION: "cannot launch instances",
}


def _text(
    job: Job, event: Event, *, counts: Mapping[State, int], spending: Spending, sentence: str
) -> str:
    tasks = ", ".join(f"{counts.get(state, 0):,} {state}" for state in State)
    lines = [
        f"Job {job.name} {_WORDS[event]}.",
        "",
        f"tasks    {tasks}",
        f"spent    {_spent(spending)}",
    ]
    if job.parameters.budget is not None:
        lines.append(f"budget   {money.dollars(job.parameters.budget)}")
    lines.append(f"status   {sentence}")
    return "\n".join(lines) + "\n"


def _spent(spending: Spending) -> str:
    if spending.at is None:
        return "not known yet"
    least = "at least " if spending.unpriced else ""
    return f"{least}{money.dollars(spending.dollars)}"


def _attributes(
    job: Job, event: Event, stack: str, *, counts: Mapping[State, int], spending: Spending
) -> dict[str, str | int | float]:
    said: dict[str, str | int | float] = {"stack": stack, "job": job.name, "event": event.value}
    if spending.at is not None:
        said["spent"] = round(spending.dollars, 6)
    return {**said, **{state.value: counts.get(state, 0) for state in State}}
