"""What a stack may be called, how the tools fail, and how long they wait between two looks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aws_parallelizer.core.errors import ParallelizerError

# A job's dead-letter queue is `<stack>_<job>_dead`: SQS takes 80 characters, a job's name has 40.
_STACK_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,33}")
_POLL_SECONDS = 2.0
_FIRST_POLL_SECONDS = 0.2


class DeployFailed(ParallelizerError):
    """The stack is not as it should be; the text says why and what to do."""


def checked_stack(stack: str) -> str:
    """`stack`, or DeployFailed that says what a stack's name may be."""
    if not _STACK_NAME.fullmatch(stack):
        raise DeployFailed(f"stack {stack!r}: 1 to 34 letters, digits and -, a letter first")
    return stack


def pauses() -> Iterator[float]:
    """Seconds to wait between two looks, without end: AWS has to be asked whether it is done."""
    pause = _FIRST_POLL_SECONDS
    while True:
        yield pause
        pause = min(_POLL_SECONDS, pause * 1.5)
