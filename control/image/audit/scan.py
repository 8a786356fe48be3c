"""Searches streams of any length for the patterns, in memory of one chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from image.audit.patterns import BEFORE, LONGEST, Pattern

CHUNK = 1 << 20


class Match(NamedTuple):
    """`offset` from the stream's first byte."""

    kind: str
    offset: int
    value: bytes


def scan(chunks: Iterable[bytes], patterns: Sequence[Pattern]) -> Iterator[Match]:
    """Every match, wherever the stream is cut into chunks: what stands at a chunk's end is looked
    at again with what follows it.
    """
    held = b""
    start = 0  # the offset of what is held
    begins = [0] * len(patterns)  # from where each pattern is still to be looked for
    for chunk in chunks:
        held += chunk
        settled = start + len(held) - LONGEST  # a match that begins before it is whole
        if settled <= start:
            continue
        yield from _search(held, start, settled, patterns, begins)
        kept = min(len(held), LONGEST + BEFORE)
        start += len(held) - kept
        held = held[-kept:]
    yield from _search(held, start, start + len(held), patterns, begins)


def _search(
    held: bytes, start: int, settled: int, patterns: Sequence[Pattern], begins: list[int]
) -> Iterator[Match]:
    for number, pattern in enumerate(patterns):
        begin = begins[number]
        if begin >= settled:
            continue
        begins[number] = settled
        for found in pattern.expression.finditer(held, begin - start if begin > start else 0):
            if start + found.start() >= settled:
                break
            if start + found.end() > settled:
                begins[number] = start + found.end()
            yield Match(pattern.kind, start + found.start(), found[0])
