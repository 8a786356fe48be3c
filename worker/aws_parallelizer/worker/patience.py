"""To try a service again: with growing, jittered pauses, for a bounded time."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.aws.object_errors import ObjectRefused

T = TypeVar("T")
log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 20.0


class Patience:
    """For how long calls are tried again, the first pause between two tries, and the errors after
    which there is no other.
    """

    def __init__(
        self,
        *,
        seconds: float = 300.0,
        pause: float = 0.5,
        hopeless: tuple[type[Exception], ...] = (ObjectRefused,),
    ) -> None:
        self._seconds = seconds
        self._pause = pause
        self._hopeless = hopeless

    async def __call__(self, call: Callable[[], Awaitable[T]], *, what: str) -> T:
        """The result of `call`; raises its last error when the time is over, and at once what
        is hopeless: what S3 refuses for good, unless otherwise said.
        """
        clock = asyncio.get_running_loop().time
        end, pause = clock() + self._seconds, self._pause
        while True:
            try:
                return await call()
            except self._hopeless:
                raise
            except SERVICE_ERRORS as error:
                if clock() + pause > end:
                    raise
                log.warning("%s failed and is tried again in %.1f s: %s", what, pause, error)
            await asyncio.sleep(jittered(pause))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def jittered(seconds: float) -> float:
    """Between half of it and all of it."""
    return seconds * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing
