"""Searches streams of any length for the patterns, in memory of a chunk or two."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from image.audit import encoded
from image.audit.patterns import BEFORE, LONGEST, Pattern
from image.audit.runs import Runs, runs

CHUNK = 1 << 20


class Match(NamedTuple):
    """`offset` from the stream's first byte; `inside` of what stands there encoded. The zeros that
    follow a file's end in its last block are no part of the value.
    """

    kind: str
    offset: int
    value: bytes
    inside: bool = False


def scan(chunks: Iterable[bytes], patterns: Sequence[Pattern]) -> Iterator[Match]:
    """Every match, wherever the stream is cut into chunks: what stands at a chunk's end is looked
    at again with what follows it.
    """
    held = b""
    start = 0  # the offset of what is held
    begins = [0] * (len(patterns) + 1)  # from where each is still to be looked for
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
    dense = runs(held)
    covered: list[tuple[int, int]] = []
    for number, pattern in enumerate(patterns):
        begin = begins[number]
        if begin >= settled:
            continue
        begins[number] = settled
        for found in _found(pattern, held, dense, max(begin - start, 0)):
            if start + found.start() >= settled:
                break
            begins[number] = max(settled, start + found.end())
            covered.append(found.span())
            yield Match(pattern.kind, start + found.start(), found[0].rstrip(b"\0"))
    for kind, place, value in _encoded(held, dense, patterns, cut=start > 0):
        # A key's own lines are base64: that they also say a key is nothing new.
        known = any(begin <= place < end for begin, end in covered)
        if begins[-1] <= start + place < settled and not known:
            yield Match(kind, start + place, value, inside=True)
    begins[-1] = max(settled, *(start + end for _, end in covered), 0)


def _encoded(
    held: bytes, dense: Runs, patterns: Sequence[Pattern], *, cut: bool
) -> Iterator[tuple[str, int, bytes]]:
    for text in encoded.texts(held, dense, cut=cut):
        plain = runs(text.content)
        for pattern in patterns:
            for found in _found(pattern, text.content, plain, 0):
                yield pattern.kind, text.origin(found.start()), found[0].rstrip(b"\0")


def _found(pattern: Pattern, text: bytes, dense: Runs, begin: int) -> Iterator[re.Match[bytes]]:
    if not pattern.in_run:
        yield from pattern.expression.finditer(text, begin)
        return
    while candidate := pattern.expression.search(dense.text, dense.place(begin)):
        at = dense.origin(candidate.start())
        # Again in the text itself: a match may go on behind its run.
        found = pattern.expression.match(text, at)
        begin = found.end() if found else at + 1
        if found:
            yield found
