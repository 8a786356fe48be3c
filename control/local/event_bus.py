"""EventBridge's part in what EC2 says: to every rule that fits, and from there to its functions.

ministack keeps the rules, and refuses events of AWS's own services from outside, as EventBridge
does. So this reads the rules that a stack has made there, and invokes their targets.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from local.metadata import Identity, Notice, stamp

log = logging.getLogger(__name__)


class EventBus:
    """The default bus of one region. `events` and `functions` are clients of ministack's."""

    def __init__(self, events: Any, functions: Any) -> None:
        self._events = events
        self._functions = functions

    def tell(self, event: dict[str, Any]) -> None:
        """Send, and do not wait: EC2 does not either, and an event may get lost."""
        threading.Thread(target=self._send, args=(event,), name="event", daemon=True).start()

    def _send(self, event: dict[str, Any]) -> None:
        text = json.dumps(event)
        try:
            for function in self._targets(text):
                self._functions.invoke(
                    FunctionName=function, InvocationType="Event", Payload=text.encode()
                )
                log.info("%s: told %s", event["detail-type"], function)
        except Exception:
            # EventBridge promises its best effort; the instance is taken back all the same.
            log.exception("%s could not be told", event["detail-type"])

    def _targets(self, event: str) -> Iterator[str]:
        for rule in self._events.list_rules()["Rules"]:
            pattern = rule.get("EventPattern")
            if not pattern or rule["State"] != "ENABLED":
                continue
            if self._events.test_event_pattern(EventPattern=pattern, Event=event)["Result"]:
                found = self._events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
                yield from (target["Arn"] for target in found)


def interruption_warning(identity: Identity, notice: Notice, *, now: datetime) -> dict[str, Any]:
    """What EC2 sends two minutes before it takes a spot instance back."""
    detail = {"instance-action": notice.action}
    return _event("EC2 Spot Instance Interruption Warning", identity, detail, now=now)


def rebalance_recommendation(identity: Identity, *, now: datetime) -> dict[str, Any]:
    """What EC2 sends when it may soon take a spot instance back."""
    return _event("EC2 Instance Rebalance Recommendation", identity, {}, now=now)


def _event(
    tag: str, identity: Identity, detail: dict[str, str], *, now: datetime
) -> dict[str, Any]:
    arn = f"arn:aws:ec2:{identity.region}:{identity.account}:instance/{identity.instance}"
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": tag,
        "source": "aws.ec2",
        "account": identity.account,
        "time": stamp(now),
        "region": identity.region,
        "resources": [arn],
        "detail": {"instance-id": identity.instance, **detail},
    }
