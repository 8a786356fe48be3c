"""Many small transfers side by side, with one progress bar for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from aws_parallelizer.aws.sentences import sentence
from aws_parallelizer.core.errors import ParallelizerError

_PARALLEL = 32  # S3 answers in tens of milliseconds: so many small files hide that


class Sized(Protocol):
    """What is transferred: an object of so many bytes, under its key."""

    @property
    def key(self) -> str: ...

    @property
    def size(self) -> int: ...


T = TypeVar("T", bound=Sized)


def run(
    items: Sequence[T], work: Callable[[T], Awaitable[None]], *, label: str, console: Console
) -> list[str]:
    """Do `work` for each item, behind a progress bar; a sentence for each that failed."""
    return asyncio.run(_run(items, work, label=label, console=console))


async def _run(
    items: Sequence[T], work: Callable[[T], Awaitable[None]], *, label: str, console: Console
) -> list[str]:
    failed: list[str] = []
    waiting = iter(items)

    async def slot(advance: Callable[[int], None]) -> None:
        for item in waiting:  # shared by all slots: each takes the next
            try:
                await work(item)
            except (ParallelizerError, OSError) as error:
                # This one file failed: it is named at the end, and the others go on.
                failed.append(f"{shown(item.key)}: {sentence(error)}")
            advance(item.size)

    with bar(label, files=len(items), total=sum(i.size for i in items), console=console) as advance:
        async with asyncio.TaskGroup() as slots:
            for _ in range(min(_PARALLEL, len(items))):
                slots.create_task(slot(advance))
    return failed


@contextmanager
def bar(label: str, *, files: int, total: int, console: Console) -> Iterator[Callable[[int], None]]:
    """A bar of bytes with the number of files, the rate and what is left; yields `advance`."""
    columns = (
        TextColumn(label),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[done]}/{task.fields[files]} files"),
    )
    with Progress(*columns, console=console) as progress:
        # rich shows a bar of nothing as empty for ever, so that empty files need one byte more.
        row = progress.add_task(label, total=max(total, 1), done=0, files=files)
        done = 0

        def advance(size: int) -> None:
            nonlocal done
            done += 1
            progress.update(row, advance=size, done=done)

        yield advance
        if not total:
            progress.update(row, completed=1)


def shown(text: str) -> str:
    """A key as a terminal may show it: control characters would move its cursor."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
