"""Long blocking calls in threads of their own: their results, and how they end early."""

from __future__ import annotations

import asyncio
import io
import threading
from pathlib import Path

import pytest

from aws_parallelizer.aws import aside as module
from aws_parallelizer.aws import streaming
from aws_parallelizer.aws.aside import Halt, Halted, aside
from aws_parallelizer.aws.sections import FileChanged, Section


def test_a_call_gives_its_result_or_its_error() -> None:
    def fail(_halt: Halt) -> int:
        raise FileChanged

    assert asyncio.run(aside(lambda _halt: 7)) == 7
    with pytest.raises(FileChanged):
        asyncio.run(aside(fail))


def test_a_call_whose_caller_is_cancelled_ends_and_undoes_what_it_began_first() -> None:
    began, undone = threading.Event(), threading.Event()

    def work(halt: Halt) -> None:
        began.set()
        try:
            while True:
                halt.check()
        finally:
            undone.set()

    async def story() -> None:
        calling = asyncio.create_task(aside(work))
        await asyncio.to_thread(began.wait, 30)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert undone.is_set()

    asyncio.run(story())


def test_a_call_that_hangs_keeps_nothing_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_END_SECONDS", 0.01)
    began, never = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def hang(_halt: Halt) -> None:
        threads.append(threading.current_thread())
        began.set()
        never.wait(30)

    async def story() -> None:
        calling = asyncio.create_task(aside(hang))
        await asyncio.to_thread(began.wait, 30)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling

    asyncio.run(story())
    assert threads[0].is_alive()
    assert threads[0].daemon  # the interpreter does not wait for it either
    never.set()
    threads[0].join()


class SlowToAnswer:
    """An S3 whose first answer comes when the test says so."""

    def __init__(self) -> None:
        self.asked, self.may_answer = threading.Event(), threading.Event()

    def get_object(self, **_at: str) -> dict[str, object]:
        self.asked.set()
        self.may_answer.wait(30)
        return {"ContentLength": 3, "ETag": '"e"', "Body": io.BytesIO(b"old")}


def test_a_download_that_hung_touches_no_file_once_it_is_wanted_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_END_SECONDS", 0.01)
    s3, path = SlowToAnswer(), tmp_path / "input"
    threads: list[threading.Thread] = []

    def get(halt: Halt) -> object:
        threads.append(threading.current_thread())
        return streaming.get(s3, bucket="b", key="k", to=path, halt=halt)

    async def story() -> None:
        calling = asyncio.create_task(aside(get))
        await asyncio.to_thread(s3.asked.wait, 30)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling

    asyncio.run(story())
    path.write_bytes(b"the next attempt's, in the same folder")
    s3.may_answer.set()
    threads[0].join(30)
    assert path.read_bytes() == b"the next attempt's, in the same folder"


def test_a_section_is_read_again_for_another_try_whatever_the_others_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(200)))
    with (tmp_path / "file").open("rb") as file:
        one = Section(file, start=10, size=20, halt=Halt())
        other = Section(file, start=100, size=5, halt=Halt())
        for _ in range(2):
            assert (bytes(one.read(3)), bytes(one.read(3))) == (bytes(range(10, 30)), b"")
            assert bytes(other.read()) == bytes(range(100, 105))
            assert (one.seek(0, 2), one.tell(), len(one)) == (20, 20, 20)
            assert (one.seek(0), other.seek(0)) == (0, 0)


def test_a_file_that_got_shorter_is_not_sent_as_something_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 20)
    with path.open("rb") as file:
        section = Section(file, start=5, size=15, halt=Halt())
        path.write_bytes(b"x" * 10)
        assert bytes(section.read()) == b"xxxxx"
        with pytest.raises(FileChanged):
            section.read()


def test_a_section_that_is_wanted_no_more_is_not_read_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 20)
    halt = Halt()
    with (tmp_path / "file").open("rb") as file:
        section = Section(file, start=0, size=20, halt=halt)
        halt.set()
        with pytest.raises(Halted):
            section.read()
