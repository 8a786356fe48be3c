"""Memory that transfers share: who waits, and what becomes of it when they end."""

from __future__ import annotations

import asyncio

import pytest

from aws_parallelizer.aws.budget import Budget


async def hold(budget: Budget, size: int, until: asyncio.Event, begun: list[int]) -> None:
    async with budget.take(size):
        begun.append(size)
        await until.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_who_asks_for_more_than_is_left_waits_and_is_not_passed_by_smaller_ones() -> None:
    async def story() -> None:
        budget, begun = Budget(10), list[int]()
        ends = {size: asyncio.Event() for size in (6, 5, 1)}
        tasks = [asyncio.create_task(hold(budget, size, end, begun)) for size, end in ends.items()]
        await settle()
        assert (begun, budget.used) == ([6], 6)
        ends[6].set()
        await settle()
        assert (begun, budget.used) == ([6, 5, 1], 6)
        for end in ends.values():
            end.set()
        await asyncio.gather(*tasks)
        assert budget.used == 0

    asyncio.run(story())


def test_more_than_there_ever_is_goes_alone() -> None:
    async def story() -> None:
        budget, begun, end = Budget(10), list[int](), asyncio.Event()
        tasks = [asyncio.create_task(hold(budget, size, end, begun)) for size in (1000, 1)]
        await settle()
        assert (begun, budget.used) == ([1000], 10)
        end.set()
        await asyncio.gather(*tasks)
        assert budget.used == 0

    asyncio.run(story())


def test_who_is_cancelled_keeps_nothing_and_holds_nobody_up() -> None:
    async def story(*, when_its_turn_has_just_come: bool) -> None:
        budget, begun = Budget(10), list[int]()
        first, others = asyncio.Event(), asyncio.Event()

        async def hold_and_cancel() -> None:
            async with budget.take(8):
                await first.wait()
            cancelled.cancel()  # it could not yet go on

        holder = asyncio.create_task(hold_and_cancel())
        await settle()
        cancelled = asyncio.create_task(hold(budget, 9, others, begun))
        last = asyncio.create_task(hold(budget, 2, others, begun))
        await settle()
        assert begun == []
        if when_its_turn_has_just_come:
            first.set()
        else:
            cancelled.cancel()
        await settle()
        assert begun == [2]
        first.set()
        others.set()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await asyncio.gather(holder, last)
        assert budget.used == 0

    asyncio.run(story(when_its_turn_has_just_come=False))
    asyncio.run(story(when_its_turn_has_just_come=True))
