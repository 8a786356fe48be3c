"""Whether launches bear fruit: pure.

A launch bears fruit when a worker on one of its instances has its environment and asks for tasks.
One whose instances all ended, or never worked, is barren. After three barren launches in a row
something is wrong that more launches do not mend: an image that does not boot, a role that may not
read, an environment without its program. Then nothing is launched for a while, and after that one
instance, until it works or somebody changes what a launch is made from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_parallelizer.core.fleet import Backoff, Intent
from chalicelib.health import SIGN_OF_LIFE
from chalicelib.holdings import UNSEEN, Holdings

MOST_BARREN = 3
_FIRST_WAIT = timedelta(minutes=10)
_LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a launch. `barren` None = nothing can be learned from it: EC2 took it back."""

    intent: Intent
    barren: bool | None
    why: str = ""


def verdicts(holdings: Holdings) -> tuple[Verdict, ...]:
    """The launches that can be judged now and have not been, the oldest first."""
    waiting = [each for each in holdings.intents if each.resolved and not each.judged]
    found = (_verdict(holdings, intent) for intent in sorted(waiting, key=lambda one: one.created))
    return tuple(verdict for verdict in found if verdict)


def counted(barren: int, told: Iterable[Verdict]) -> int:
    """How many launches in a row were barren, after these."""
    for verdict in told:
        if verdict.barren is not None:
            barren = barren + 1 if verdict.barren else 0
    return barren


def breaker(barren: int, told: Iterable[Verdict], *, configuration: str, now: datetime) -> Backoff:
    """What holds launches back after so many barren ones; nothing while they are few."""
    if barren < MOST_BARREN:
        return Backoff()
    wait = min(_FIRST_WAIT * 2 ** min(barren - MOST_BARREN, 16), _LONGEST_WAIT)
    why = next((each.why for each in reversed(tuple(told)) if each.why), "")
    said = f"{barren} launches in a row brought no instance that worked"
    return Backoff(
        failures=barren,
        until=now + wait,
        sentence=f"{said} (the last: {why})" if why else said,
        kind="barren",
        configuration=configuration,
    )


def _verdict(holdings: Holdings, intent: Intent) -> Verdict | None:
    if not intent.instances:
        return Verdict(intent=intent, barren=None)  # EC2 launched nothing: that has its own class
    beats = [beat for one in intent.instances if (beat := holdings.beat_of(one))]
    if any(beat.ready for beat in beats):
        return Verdict(intent=intent, barren=False)
    if not all(_is_over(holdings, intent, one) for one in intent.instances):
        return None
    if any(holdings.was_reclaimed(one) for one in intent.instances):
        return Verdict(intent=intent, barren=None)
    said = next((beat.why for beat in beats if beat.why), "")
    return Verdict(intent=intent, barren=True, why=said or "no worker gave a sign of life")


def _is_over(holdings: Holdings, intent: Intent, id_: str) -> bool:
    """Whether this instance will not work any more, or had its time to."""
    shown = next((each for each in holdings.instances if each.id == id_), None)
    age = holdings.now - intent.asked
    if shown is None:
        return age >= UNSEEN
    if shown.state not in ("pending", "running"):
        return True
    return id_ in holdings.suspects or age >= 2 * SIGN_OF_LIFE
