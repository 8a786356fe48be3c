"""Client tokens: the same token with the same parameters is the same call, and is answered without
a second launch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")


class TokenMismatch(Exception):
    """The token was used before, with other parameters."""


class Tokens(Generic[Answer]):
    """Answers by region, action and token. A call that failed leaves none."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, str], tuple[Mapping[str, Any], Answer]] = {}

    def once(
        self,
        token: str | None,
        *,
        region: str,
        action: str,
        parameters: Mapping[str, Any],
        make: Callable[[], Answer],
    ) -> Answer:
        """The first answer to the token, or what `make` makes. The caller holds a lock."""
        if not token:
            return make()
        key = (region, action, token)
        if key not in self._answers:
            self._answers[key] = (parameters, make())
        before, answer = self._answers[key]
        if before != parameters:
            raise TokenMismatch(token)
        return answer
