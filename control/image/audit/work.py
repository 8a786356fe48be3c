"""Work that is divided among processes, where there is enough of it."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

WORTH_PROCESSES = 64 << 20  # bytes; fewer are read before another process has started

Part = TypeVar("Part")
Found = TypeVar("Found")


def spread(search: Callable[[Part], Found], parts: Sequence[Part], *, size: int) -> Iterator[Found]:
    """What is found in each part, in their order; `size` bytes in all."""
    if size < WORTH_PROCESSES:
        yield from map(search, parts)
        return
    # Started anew, not forked: whoever calls may have threads.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(mp_context=context) as pool:
        yield from pool.map(search, parts)
