"""Idempotency-Key: a POST that is sent again gets the first one's answer, and does nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

import msgspec

from aws_parallelizer.aws import registry
from aws_parallelizer.core.errors import Conflict
from chalicelib.answers import Answer, encode
from chalicelib.context import Context

_KEPT_FOR = timedelta(hours=24)


def once(context: Context, key: str, *, request: str, act: Callable[[], Answer]) -> Answer:
    """Act, unless a call with this key was answered before. A call that failed may be repeated."""
    if not key:
        return act()
    fingerprint = hashlib.sha256(request.encode()).hexdigest()
    kept = context.registry.answer(key, now=context.now())
    if kept and kept.request != fingerprint:
        raise Conflict(f"Idempotency-Key {key} was used for another request")
    if kept:
        return Answer(kept.status, msgspec.json.decode(kept.body))
    answer = act()
    context.registry.keep_answer(
        key,
        registry.Answer(
            request=fingerprint,
            status=answer.status,
            body=encode(answer.document),
            until=context.now() + _KEPT_FOR,
        ),
    )
    return answer
