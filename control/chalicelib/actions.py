"""What reconcile may do to a job's fleet, and the plan that lists it: frozen values that a dry run
prints and one place carries out.
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_parallelizer.core.fleet import Intent


@dataclass(frozen=True, kw_only=True)
class Launch:
    """Launch `count` instances; `wish` is the id of the person's order that it carries out."""

    count: int
    wish: str = ""
    max_price: float | None = None
    on_demand: bool = False


@dataclass(frozen=True, kw_only=True)
class Start:
    """Start these parked instances again."""

    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Send a launch again whose answer was lost: the same call, the same token."""

    intent: Intent


@dataclass(frozen=True, kw_only=True)
class Settle:
    """Take what EC2 shows of a launch whose answer was lost for all that it brought forth."""

    intent: Intent
    instances: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CancelRequests:
    """Cancel these spot requests."""

    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Terminate:
    """Terminate these instances."""

    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Adopt:
    """Tag these instances: EC2 launched them for the job's requests, without tags."""

    ids: tuple[str, ...]


Action = Launch | Start | Replay | Settle | CancelRequests | Terminate | Adopt


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do, in this order, and one sentence on it for people.

    `granted` are wishes that need not be kept. `hold` = why workers may take no tasks. `draining`:
    workers are being let end. `finished`: nothing is left. `look_again`: see what the cancelling
    did, and plan anew at once.
    """

    sentence: str
    actions: tuple[Action, ...] = ()
    granted: tuple[str, ...] = ()
    hold: str = ""
    draining: bool = False
    finished: bool = False
    look_again: bool = False


def in_words(plan: Plan) -> list[str]:
    """The plan as lines for people."""
    return [plan.sentence, *(f"  {_words(action)}" for action in plan.actions)]


def _words(action: Action) -> str:
    match action:
        case Launch(count=count, on_demand=on_demand):
            why = ", which a person asked for" if action.wish else ""
            kind = "on-demand" if on_demand else "spot"
            return f"launch {many(count, f'{kind} instance')}{why}"
        case Replay(intent=intent):
            return f"send launch {intent.id} of {many(intent.count, 'instance')} again"
        case Settle(intent=intent, instances=instances):
            return f"close launch {intent.id}: it brought {' '.join(instances) or 'nothing'}"
        case Start(ids=ids):
            return f"start {' '.join(ids)}"
        case CancelRequests(ids=ids):
            return f"cancel {' '.join(ids)}"
        case Terminate(ids=ids):
            return f"terminate {' '.join(ids)}"
        case Adopt(ids=ids):
            return f"tag {' '.join(ids)}"


def many(number: int, noun: str) -> str:
    """A number and its noun."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
