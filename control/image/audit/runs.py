"""The runs of a text in which keys and tokens can stand, put together into a much shorter text."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

LEAST = 20
_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+/=.~$%"
# `a` stands for each of the characters, `0` for a zero, a space for all else.
_TABLE = bytes(
    ord("a") if one in _CHARACTERS else ord(" ") if one else ord("0") for one in range(256)
)
_END = re.compile(rb"[^a]")
_BEFORE = 40  # of what stands before a run: the name of a key
_BEHIND = 2  # that a run ends there
WIDE = b"a0" * 8  # in a mask: text in UTF-16


class Runs(NamedTuple):
    """`text` holds all runs and a little of what surrounds them, with a zero between; where each
    piece begins in it, and the last ends, is in `here`; where in the text that was searched, in
    `there`. `mask` says of each character of that text what it is.
    """

    text: bytes
    here: list[int]
    there: list[int]
    mask: bytes

    def origin(self, place: int) -> int:
        """Where in the text that was searched a place in `text` is."""
        number = bisect.bisect_right(self.here, place) - 1
        return self.there[number] + place - self.here[number]

    def place(self, origin: int) -> int:
        """Where in `text` what is at a place in the text that was searched, or the next, is."""
        number = max(bisect.bisect_right(self.there, origin) - 1, 0)
        place = self.here[number] + max(origin - self.there[number], 0)
        return min(place, self.here[number + 1])


def mask_of(characters: str) -> bytes:
    """What `translate` makes an `a` of each of these with, and a space of all else."""
    return bytes(ord("a") if chr(one) in characters else ord(" ") for one in range(256))


def runs(text: bytes) -> Runs:
    """Find them."""
    mask = text.translate(_TABLE)
    taken: list[tuple[int, int]] = []
    first = last = 0
    for begin, end in spans(mask, LEAST):
        if begin - _BEFORE > last:
            taken.append((first, last))
            first = begin - _BEFORE
        last = end + _BEHIND
    taken.append((first, last))
    lengths = (min(last, len(text)) - first + 1 for first, last in taken)
    return Runs(
        text=b"\0".join(text[first:last] for first, last in taken),
        here=list(itertools.accumulate(lengths, initial=0)),
        there=[first for first, _ in taken],
        mask=mask,
    )


def spans(mask: bytes, least: int) -> Iterator[tuple[int, int]]:
    """Where at least so many characters `a` stand together."""
    wanted = b"a" * least
    begin = mask.find(wanted)
    while begin >= 0:
        found = _END.search(mask, begin + least)
        end = found.start() if found else len(mask)
        yield begin, end
        begin = mask.find(wanted, end)
