"""The API's calls as it is handed them, and its answers as a caller reads them."""

from __future__ import annotations

import json
from typing import Any

from chalicelib import answers
from chalicelib.answers import Answer
from chalicelib.api import Call


def post(document: object, *, key: str = "", path: str = "/p") -> Call:
    return Call(path, {}, json.dumps(document).encode(), idempotency_key=key)


def ask(**query: str) -> Call:
    return Call("/p", query)


def told(answer: Answer) -> Any:
    """The answer's document as a caller reads it."""
    return json.loads(answers.encode(answer.document))
