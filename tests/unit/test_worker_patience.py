"""Calls that are tried again, on a clock that does not wait."""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections.abc import Awaitable, Callable

import pytest

from aws_parallelizer.aws.object_errors import ObjectFailure, ObjectRefused
from aws_parallelizer.worker.patience import LONGEST_PAUSE_SECONDS, Patience

MINUTE = 60.0


class _Skipping(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Waits for nothing: it tells the loop how long it would have."""

    loop: SkippingLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.loop.now += timeout or 0.0
        found: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        return found


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes at once."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Skipping()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def times_of(seconds: float, error: Exception) -> tuple[list[float], str]:
    """When a call is made that fails for so long with the error, and what comes of it."""
    tried: list[float] = []

    async def story() -> str:
        loop = asyncio.get_running_loop()

        async def call() -> str:
            tried.append(loop.time())
            if loop.time() < seconds:
                raise error
            return "answered"

        try:
            return await Patience()(call, what="a call")
        except ObjectFailure as last:
            return str(last)

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return tried, runner.run(story())


def test_s3_that_says_slow_down_for_a_minute_is_asked_again_until_it_answers() -> None:
    tried, told = times_of(MINUTE, ObjectFailure("503 SlowDown"))
    assert told == "answered"
    assert MINUTE <= tried[-1] <= MINUTE + LONGEST_PAUSE_SECONDS
    assert len(tried) < 15  # it is not made worse


def test_pauses_grow_to_a_limit_and_differ_from_call_to_call() -> None:
    runs = [times_of(MINUTE, ObjectFailure("503 SlowDown"))[0] for _ in range(5)]
    assert len({tuple(tried) for tried in runs}) == 5
    for tried in runs:
        pauses = [later - earlier for earlier, later in itertools.pairwise(tried)]
        assert max(pauses) <= LONGEST_PAUSE_SECONDS
        for number, pause in enumerate(pauses):
            assert pause >= min(0.25 * 2**number, LONGEST_PAUSE_SECONDS / 2)


def test_what_fails_for_ever_is_given_up_after_minutes_with_its_own_words() -> None:
    tried, told = times_of(1e9, ObjectFailure("503 SlowDown"))
    assert told == "503 SlowDown"
    assert 4 * MINUTE < tried[-1] <= 5 * MINUTE


def test_what_is_refused_for_good_is_not_asked_again() -> None:
    assert times_of(1e9, ObjectRefused("no permission")) == ([0.0], "no permission")


@pytest.mark.parametrize("error", [KeyError("x"), asyncio.CancelledError()])
def test_what_is_no_error_of_a_service_is_nobodys_to_repeat(error: BaseException) -> None:
    async def story(call: Callable[[], Awaitable[None]]) -> None:
        await Patience()(call, what="a call")

    async def call() -> None:
        raise error

    with pytest.raises(type(error)):
        asyncio.run(story(call))
