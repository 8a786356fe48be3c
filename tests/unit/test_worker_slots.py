"""Slots, and the room that a task needs which ran out of memory."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import pytest

from aws_parallelizer.core.outcome import State
from aws_parallelizer.core.task import Task
from aws_parallelizer.worker.slots import Slots, at_once

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("slots", "memory_kills", "attempts", "max_attempts", "expected"),
    [
        (8, 0, 0, 3, 8),
        (8, 0, 2, 3, 8),  # it failed otherwise: nothing is wrong with the room
        (8, 1, 1, 3, 4),
        (7, 1, 1, 3, 3),
        (8, 2, 2, 9, 1),
        (8, 1, 1, 2, 1),  # the last attempt is alone
        (8, 5, 5, 9, 1),
        (1, 1, 1, 3, 1),
    ],
)
def test_a_task_that_ran_out_of_memory_is_tried_beside_half_as_many_then_alone(
    slots: int, memory_kills: int, attempts: int, max_attempts: int, expected: int
) -> None:
    row = Task(
        job="j", key="k", bucket="b", etag="e", size=0, state=State.RUNNING, since=NOW,
        enqueued=NOW, memory_kills=memory_kills, attempts=attempts,
    )  # fmt: skip
    assert at_once(row, slots=slots, max_attempts=max_attempts) == expected


class Hall:
    """Programs that run until they are told to end; `running` are those inside, by name."""

    def __init__(self, slots: int) -> None:
        self.slots = Slots(slots)
        self.running: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, most: int = 100) -> None:
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._run(name, most))
        await self._settle()

    async def go(self, name: str) -> None:
        self._ends[name].set()
        await self._settle()

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        await self._settle()

    async def _run(self, name: str, most: int) -> None:
        async with self.slots.one(most):
            self.running.append(name)
            try:
                await self._ends[name].wait()
            finally:
                self.running.remove(name)

    async def _settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


def test_as_many_run_as_there_are_slots_in_the_order_in_which_they_came() -> None:
    async def story() -> None:
        hall = Hall(2)
        for name in "abcd":
            await hall.come(name)
        assert hall.running == ["a", "b"]
        await hall.go("b")
        assert hall.running == ["a", "c"]

    asyncio.run(story())


def test_one_that_needs_to_be_alone_waits_for_the_others_and_they_for_its_end() -> None:
    async def story() -> None:
        hall = Hall(3)
        await hall.come("a")
        await hall.come("alone", most=1)
        assert hall.running == ["a"]
        await hall.come("b")  # in hand already, so it goes first
        assert hall.running == ["a", "b"]
        await hall.go("a")
        await hall.go("b")
        assert hall.running == ["alone"]
        await hall.come("c")
        assert hall.running == ["alone"]
        await hall.go("alone")
        assert hall.running == ["c"]

    asyncio.run(story())


def test_beside_one_that_needs_half_the_slots_the_other_half_is_used() -> None:
    async def story() -> None:
        hall = Hall(4)
        await hall.come("half", most=2)
        for name in "abc":
            await hall.come(name)
        assert hall.running == ["half", "a"]
        await hall.go("half")
        assert hall.running == ["a", "b", "c"]

    asyncio.run(story())


def test_one_that_is_cancelled_gives_its_slot_or_its_turn_back() -> None:
    async def story() -> None:
        hall = Hall(1)
        for name in "abc":
            await hall.come(name)
        await hall.cancel("b")  # it waits
        await hall.cancel("a")  # it runs
        assert hall.running == ["c"]
        await hall.go("c")
        await hall.come("d")
        await hall.come("e")
        hall._ends["d"].set()
        await asyncio.sleep(0)
        await hall.cancel("e")  # at about the moment of its turn
        await hall.come("f")
        assert hall.running == ["f"]

    asyncio.run(story())


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_and_goes_nobody_is_crowded_and_everybody_has_a_turn(seed: int) -> None:
    chance = random.Random(seed)
    rooms = {str(number): chance.choice([1, 2, 4, 4, 4]) for number in range(40)}

    async def story() -> None:
        hall, left, served = Hall(4), list(rooms), set()
        while left or hall.running:
            if left and chance.random() < 0.6:
                name = left.pop()
                await hall.come(name, most=rooms[name])
            elif hall.running:
                await hall.go(chance.choice(hall.running))
            assert len(hall.running) <= min((rooms[name] for name in hall.running), default=4)
            served |= set(hall.running)
        assert served == set(rooms)

    asyncio.run(story())


def test_one_that_is_cancelled_in_the_moment_in_which_a_slot_gets_free_upsets_nobody() -> None:
    async def story() -> None:
        slots, leave = Slots(1), asyncio.Event()

        async def use() -> str:
            async with slots.one(1):
                await leave.wait()
            return "used"

        first, second, third = [asyncio.create_task(use()) for _ in range(3)]
        await asyncio.sleep(0)
        leave.set()
        second.cancel()  # the first one hears before it does
        assert await first == "used"
        assert await third == "used"
        with pytest.raises(asyncio.CancelledError):
            await second

    asyncio.run(story())
