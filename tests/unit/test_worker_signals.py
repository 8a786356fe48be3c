"""Signals come to the main thread, and the loop of another one acts on them."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor

from aws_parallelizer.worker.signals import Signals


def test_a_signal_that_comes_before_the_loop_listens_is_not_lost() -> None:
    signals, acted = Signals(), []

    async def story() -> None:
        signals.on(signal.SIGTERM, lambda: acted.append("halt"))
        with signals.listening():
            await asyncio.sleep(0)
            assert acted == ["halt"]

    signals(signal.SIGTERM, None)
    asyncio.run(story())
    assert acted == ["halt"]


def test_a_signal_in_the_main_thread_wakes_the_loop_of_another() -> None:
    signals = Signals()

    async def story() -> str:
        halted = asyncio.Event()
        signals.on(signal.SIGTERM, halted.set)
        with signals.listening():
            os.kill(os.getpid(), signal.SIGUSR2)
            async with asyncio.timeout(10):
                await halted.wait()
        return "halted"

    def main(_number: int, _frame: object) -> None:
        signals(signal.SIGTERM, None)

    before = signal.signal(signal.SIGUSR2, main)
    try:
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(asyncio.run, story()).result() == "halted"
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_a_signal_without_a_meaning_or_after_the_loop_has_closed_does_nothing() -> None:
    signals = Signals()
    signals(signal.SIGUSR1, None)

    async def story() -> None:
        with signals.listening():
            await asyncio.sleep(0)
            signals._call(asyncio.get_running_loop())

    asyncio.run(story())
    closed = asyncio.new_event_loop()
    closed.close()
    signals._call(closed)
    signals(signal.SIGTERM, None)
