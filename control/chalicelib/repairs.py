"""What is put right in any case: launches of which no answer came, instances without tags, and
instances that cost money and do nothing for it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from datetime import timedelta

from aws_parallelizer.core.fleet import Intent
from chalicelib.actions import Action, Adopt, CancelRequests, Replay, Settle, Terminate
from chalicelib.holdings import UNSEEN, Holdings
from chalicelib.situation import Situation

REPLAY = timedelta(minutes=10)  # EC2 surely still knows the client token of a launch so young


def repairs(s: Situation, *, replay: bool, cancel: tuple[str, ...]) -> tuple[Action, ...]:
    """Settle launches, adopt replacements, cancel these requests, and end what costs money and does
    nothing for it: its request first, or EC2 starts it again.
    """
    useless = s.condemned & s.holdings.suspects.keys()
    requests = tuple(dict.fromkeys((*cancel, *_requests_of(s.holdings, useless))))
    instances = tuple(each.id for each in s.holdings.terminable if each.id in useless)
    return (
        *settlements(s, replay=replay),
        *adoptions(s),
        *([CancelRequests(ids=requests)] if requests else []),
        *([Terminate(ids=instances)] if instances else []),
    )


def _requests_of(holdings: Holdings, instances: Set[str]) -> Iterator[str]:
    named = {each.request for each in holdings.standing if each.id in instances}
    for request in holdings.cancellable:
        if request.instance in instances or request.id in named:
            yield request.id


def settlements(s: Situation, *, replay: bool) -> tuple[Action, ...]:
    return tuple(
        action
        for intent in s.holdings.unresolved
        if (action := _settlement(s.holdings, intent, replay=replay))
    )


def _settlement(holdings: Holdings, intent: Intent, *, replay: bool) -> Replay | Settle | None:
    if replay and not intent.error and holdings.now - intent.created < REPLAY:
        return Replay(intent=intent)
    if holdings.now - intent.asked >= UNSEEN:
        return Settle(intent=intent, instances=holdings.launched_by(intent))
    return None  # what it launched may not show yet


def adoptions(s: Situation) -> tuple[Action, ...]:
    return (Adopt(ids=s.untagged),) if s.untagged else ()
