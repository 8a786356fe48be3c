"""A job's `filter`: which of its objects are tasks. Pure."""

from __future__ import annotations

import jmespath
from jmespath.exceptions import JMESPathError

from aws_parallelizer.core.message import Message


def why_skipped(expression: str | None, message: Message) -> str:
    """Why the object is kept out of the queue; empty = it is not."""
    if expression is None:
        return ""
    document = {"key": message.key, "size": message.size, "etag": message.etag}
    try:
        found = jmespath.search(expression, document)
    except JMESPathError as error:
        return f"the job's filter fails on it: {error}"
    return "the job's filter is false for it" if _is_false(found) else ""


def _is_false(value: object) -> bool:
    # JMESPath's own rule: null, false and what is empty are false; every number is true.
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)
