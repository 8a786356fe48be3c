"""Memory that many transfers share."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Budget:
    """So many bytes; who asks for more than are left waits for its turn. Belongs to one event
    loop.
    """

    def __init__(self, total: int) -> None:
        self._total = self._left = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def used(self) -> int:
        """How many bytes are taken."""
        return self._total - self._left

    @asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        """Keep so many bytes, or all there are."""
        size = min(size, self._total)
        if self._waiting or size > self._left:
            await self._wait(size)
        else:
            self._left -= size
        try:
            yield
        finally:
            self._give_back(size)

    async def _wait(self, size: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(size)
            else:
                self._waiting.remove((size, turn))
                self._admit()
            raise

    def _give_back(self, size: int) -> None:
        self._left += size
        self._admit()

    def _admit(self) -> None:
        # In their order: a large one is not passed by small ones for ever.
        while self._waiting and self._waiting[0][0] <= self._left:
            size, turn = self._waiting.popleft()
            self._left -= size
            turn.set_result(None)
