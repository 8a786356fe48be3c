"""What systemd hears of a worker whose event loop turns, and of one whose loop does not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_parallelizer.worker import watchdog
from aws_parallelizer.worker.settings import Settings

SPAN = 0.15


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket at which systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        yield listening


async def keep_while(address: str, seconds: float, work: float) -> None:
    keeping = asyncio.create_task(watchdog.keep(address, seconds=seconds))
    await asyncio.sleep(work)
    keeping.cancel()


def test_systemd_hears_of_it_again_and_again_in_time(systemd: socket.socket) -> None:
    async def hear() -> list[bytes]:
        keeping = asyncio.create_task(watchdog.keep(systemd.getsockname(), seconds=SPAN))
        heard = [await asyncio.to_thread(systemd.recv, 100) for _ in range(3)]
        keeping.cancel()
        return heard

    assert asyncio.run(hear()) == [b"WATCHDOG=1"] * 3


def test_systemd_hears_nothing_of_a_loop_that_hangs(systemd: socket.socket) -> None:
    async def hang() -> None:
        keeping = asyncio.create_task(watchdog.keep(systemd.getsockname(), seconds=SPAN))
        await asyncio.sleep(0)
        systemd.recv(100)
        time.sleep(2 * SPAN)  # noqa: ASYNC251 - what is to be noticed
        keeping.cancel()

    asyncio.run(hang())
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_a_systemd_that_has_gone_does_not_disturb_the_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(keep_while(str(tmp_path / "none"), 0.01, 0.05))
    assert "systemd is not told that the worker lives" in caplog.text


def test_where_nobody_asks_nothing_is_told() -> None:
    asyncio.run(asyncio.wait_for(watchdog.keep("", seconds=1), 5))


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("")  # the kernel chooses
        name = listening.getsockname().decode()
        asyncio.run(keep_while(f"@{name[1:]}", 60, 0.05))
        listening.settimeout(10)
        assert listening.recv(100) == b"WATCHDOG=1"


def test_only_a_unit_with_a_watchdog_is_told() -> None:
    told = Settings.read({"NOTIFY_SOCKET": "/run/systemd/notify", "WATCHDOG_USEC": "600000000"})
    assert (told.watchdog, told.watchdog_seconds) == ("/run/systemd/notify", 600.0)
    assert Settings.read({"NOTIFY_SOCKET": "/run/systemd/notify"}).watchdog == ""
