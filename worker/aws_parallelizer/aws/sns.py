"""Tells an SNS topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SUBJECT = 99  # SNS takes less than 100 characters, and no line breaks


def publish(
    client: Any,
    topic: str,
    *,
    subject: str,
    text: str,
    attributes: Mapping[str, str | int | float],
) -> None:
    """Publish a message; its attributes are for programs and filters. Raises what botocore raises.

    At most 10 attributes: SQS queues that take raw messages get no more.
    """
    client.publish(
        TopicArn=topic,
        Subject=" ".join(subject.split())[:_SUBJECT],
        Message=text,
        MessageAttributes={name: _attribute(value) for name, value in attributes.items()},
    )


def _attribute(value: str | int | float) -> dict[str, str]:
    kind = "String" if isinstance(value, str) else "Number"
    return {"DataType": kind, "StringValue": str(value)}
