"""What stands in a text in another writing: UTF-16, base64, hexadecimal digits.

Each is looked for in runs of characters only, so what is cut into short pieces is not seen.
"""

from __future__ import annotations

import binascii
import bisect
import re
import string
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from image.audit.runs import WIDE, Runs, mask_of, spans

_BASE64 = mask_of(string.ascii_letters + string.digits + "+/-_")
_HEX = mask_of(string.hexdigits)
_LEAST_BASE64, _LEAST_HEX = 27, 40  # AWS's key ids are 20 bytes
_PAIRS = re.compile(rb"(?:[\t\n\r -~]\x00)+")
_PAIRS_BEFORE = re.compile(rb"(?:[\t\n\r -~]\x00)*\Z")
_BEFORE_PAIRS = 400  # bytes: what stands before a key's first long run
_ONE_TEXT = re.compile(rb"={0,2}(?:\r?\n|\\n)[ \t]{0,16}")  # between two lines of it
# The last of several, too short to be looked at for its own sake.
_LAST_LINE = re.compile(
    rb"(?:\r?\n|\\n)[ \t]{0,16}([A-Za-z0-9+/_-]{2,%d})(?![A-Za-z0-9+/_-])" % (_LEAST_BASE64 - 1)
)
_STANDARD = bytes.maketrans(b"-_", b"+/")
_GZIP = b"\x1f\x8b\x08"
_MOST_INFLATED = 1 << 20  # bytes of what was compressed before it was written so


class Text(NamedTuple):
    """`content` in plain writing. Its pieces begin in it at `here`, in the text that it was taken
    from at `there`.
    """

    content: bytes
    here: list[int]
    there: list[int]

    def origin(self, offset: int) -> int:
        """Where the piece with this byte of the content begins in the text."""
        return self.there[bisect.bisect_right(self.here, offset) - 1]


def texts(text: bytes, runs: Runs, *, cut: bool) -> Iterator[Text]:
    """All of them; `cut` if something stands before the text that is not seen now."""
    yield from _wide(text, runs.mask)
    pieces = Text(b"", [], [])
    contents: list[bytes] = []
    length = end = 0
    for there, plain, behind in sorted([*_base64(text, runs, cut), *_hexadecimal(runs)]):
        if not (contents and _ONE_TEXT.fullmatch(text, end, there)):
            plain = b"\0" + plain
        pieces.here.append(length)
        pieces.there.append(there)
        contents.append(plain)
        length += len(plain)
        end = behind
    if contents:
        yield pieces._replace(content=b"".join(contents))


def _wide(text: bytes, mask: bytes) -> Iterator[Text]:
    begin = mask.find(WIDE)
    while begin >= 0:
        pairs = _PAIRS.match(text, begin)
        end = pairs.end() if pairs else begin + len(WIDE)
        before = _PAIRS_BEFORE.search(text, max(begin - _BEFORE_PAIRS, 0), begin)
        first = before.start() if before else begin
        yield Text(text[first:end:2], [0], [first])
        begin = mask.find(WIDE, end)


def _base64(text: bytes, runs: Runs, cut: bool) -> Iterator[tuple[int, bytes, int]]:
    """Each piece: where it begins, what it says, where it ends."""
    for first, last in spans(runs.text.translate(_BASE64), _LEAST_BASE64):
        begin = runs.origin(first)
        written = runs.text[first:last].translate(_STANDARD)
        end = begin + len(written)
        if begin and text[begin - 1] == ord("\\"):
            written = written[1:]  # the n of a newline
        last_line = _LAST_LINE.match(text, end)
        tail = _decoded(last_line[1].translate(_STANDARD)) if last_line else b""
        # Where the text begins in its midst, nobody knows which of four its first character is.
        for skipped in range(4 if cut and not begin else 1):
            plain = _decoded(written[skipped:]) + tail
            yield begin, plain, end
            if plain.startswith(_GZIP):
                yield begin, _inflated(plain), end


def _decoded(written: bytes) -> bytes:
    whole = len(written) - (len(written) % 4 == 1)
    return binascii.a2b_base64(written[:whole] + b"=" * (-whole % 4))


def _hexadecimal(runs: Runs) -> Iterator[tuple[int, bytes, int]]:
    for first, last in spans(runs.text.translate(_HEX), _LEAST_HEX):
        begin = runs.origin(first)
        yield begin, binascii.unhexlify(runs.text[first : last - (last - first) % 2]), last


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(packed, _MOST_INFLATED)
    except zlib.error:
        return b""  # only looked like it
