"""How a fleet is let go: cancel, look, terminate, look until nothing is left. Pure.

EC2 starts a persistent request's instance again, so no instance is ever terminated before its
request is cancelled.
"""

from __future__ import annotations

from chalicelib.actions import CancelRequests, Plan, Terminate, many
from chalicelib.repairs import adoptions, settlements
from chalicelib.sentences import leaving, span
from chalicelib.situation import Situation


def end_now(s: Situation) -> Plan:
    """The panic button, and deleting: nobody is waited for."""
    why = "deleting" if s.deleting else "stopped"
    holdings = s.holdings
    if holdings.nothing:
        return Plan(sentence=f"{why}: nothing runs", finished=True)
    requests = tuple(request.id for request in holdings.cancellable)
    instances = tuple(instance.id for instance in holdings.terminable)
    doing = [f"cancelling {many(len(requests), 'spot request')}"] if requests else []
    doing += [f"terminating {many(len(instances), 'instance')}"] if instances else []
    return Plan(
        sentence=f"{why}: {', '.join(doing) or leaving(holdings)}",
        actions=(
            *settlements(s, replay=False),
            *adoptions(s),
            *([CancelRequests(ids=requests)] if requests else []),
            *([Terminate(ids=instances)] if instances else []),
        ),
        look_again=bool(requests),
    )


def let_go(s: Situation) -> Plan:
    """The work is over: cancel, let workers end, terminate what stays, verify."""
    holdings = s.holdings
    if holdings.cancellable:
        ids = tuple(request.id for request in holdings.cancellable)
        return Plan(
            sentence=f"no work left: cancelling {many(len(ids), 'spot request')}",
            actions=(*adoptions(s), CancelRequests(ids=ids)),
        )
    ids = tuple(instance.id for instance in holdings.terminable)
    if not ids:
        return Plan(sentence=f"no work left: {leaving(holdings)}", finished=holdings.nothing)
    number = many(len(ids), "instance")
    if s.stays:
        return Plan(
            sentence=f"no work left: keeping {number}, for shouldShutdown is false; "
            "DELETE /instances ends what stays",
            actions=adoptions(s),
        )
    waited = (s.now - s.draining_since).total_seconds() if s.draining_since else -1.0
    if waited < s.grace_seconds:
        left = span(s.grace_seconds - max(0.0, waited))
        return Plan(
            sentence=f"no work left: letting {number} end, at most {left} more",
            actions=adoptions(s),
            draining=True,
        )
    return Plan(
        sentence=f"no work left: terminating {number} that did not end",
        actions=(Terminate(ids=ids),),
        draining=True,
    )
