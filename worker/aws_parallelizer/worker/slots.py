"""The slots of an instance, and how many of them a program leaves empty while it runs.

A program that ran out of memory beside others is tried again with half of the slots in use, then
alone; its task's row remembers, so that any instance does so. In hand it goes behind those that
need no such room: meanwhile the gauge asks for nothing new, so that its turn comes when they end.
"""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aws_parallelizer.core.task import Task


def at_once(row: Task, *, slots: int, max_attempts: int) -> int:
    """How many programs may run while the task's does, its own included; its last attempt after
    it ran out of memory is alone.
    """
    if not row.memory_kills:
        return slots
    if row.memory_kills > 1 or row.attempts + 1 >= max_attempts:
        return 1
    return max(1, slots // 2)


class Slots:
    """Lets so many programs run at once. Belongs to one event loop."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._running: list[int] = []
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def one(self, most: int) -> AsyncIterator[None]:
        """Wait for a slot and keep it; while it is kept at most `most` are in use."""
        room = min(most, self._count)
        if self._waiting or not self._fits(room):
            await self._wait(room)
        else:
            self._running.append(room)
        try:
            yield
        finally:
            self._give_back(room)

    async def _wait(self, room: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Whoever leaves most slots in use goes first, and among those who came first.
        bisect.insort(self._waiting, (room, turn), key=lambda waiter: -waiter[0])
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting = [waiter for waiter in self._waiting if waiter[1] is not turn]
            else:
                self._give_back(room)
            raise

    def _give_back(self, room: int) -> None:
        self._running.remove(room)
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            room, turn = self._waiting.pop(0)
            if turn.cancelled():
                continue  # a moment ago, and has not left yet
            self._running.append(room)
            turn.set_result(None)

    def _fits(self, room: int) -> bool:
        return len(self._running) < min((room, *self._running))
