"""What a file holds, as streams of bytes: as it lies, and what is compressed in it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

from image.audit.scan import CHUNK

MOST_UNPACKED = 4 << 30  # bytes of one file: a bomb has more

_OPENERS: tuple[tuple[bytes, Callable[[IO[bytes]], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)
_ZIP = b"PK\x03\x04"
_CPIO = b"070701"
_CPIO_END = b"TRAILER!!!\x00"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_ZSTD = b"\x28\xb5\x2f\xfd"
_CLOSED = (
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"!<arch>\ndebian", "a Debian package"),
    (b"LUKS\xba\xbe", "encrypted"),
)
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError)


class Closed(Exception):
    """What is compressed here cannot be read, or not to its end; the text says why."""


class Part(NamedTuple):
    """A stream of a file; `inside` what is compressed in it."""

    chunks: Iterator[bytes]
    inside: bool


def parts(file: IO[bytes]) -> Iterator[Part]:
    """The file as it lies, then what is compressed in it. Each is to be read before the next; a
    part's chunks raise Closed.
    """
    head = file.read(16)
    file.seek(0)
    yield Part(_chunks(file), inside=False)
    if head.startswith(_CPIO):
        head = _skip_cpio(file)
    else:
        file.seek(0)
    for magic, why in _CLOSED:
        if head.startswith(magic):
            yield Part(_refuse(f"{why}: what is in it was not read"), inside=True)
    if head.startswith(_UTF_16):
        yield Part((chunk.replace(b"\x00", b"") for chunk in _chunks(file)), inside=True)
    if head.startswith(_ZSTD):
        yield Part(_zstd(file), inside=True)
    if head.startswith(_ZIP):
        yield Part(_readable(_members(file)), inside=True)
    for magic, opener in _OPENERS:
        if head.startswith(magic):
            yield Part(_readable(_chunks(opener(file))), inside=True)


def _chunks(file: Any) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _readable(chunks: Iterator[bytes]) -> Iterator[bytes]:
    left = MOST_UNPACKED
    try:
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise Closed(f"holds over {MOST_UNPACKED >> 30} GiB: read so far")
            yield chunk
    except _BROKEN as error:
        raise Closed(f"could not be unpacked to its end: {error}") from error


def _zstd(file: IO[bytes]) -> Iterator[bytes]:
    """Python has it from 3.14 on; until then the program of that name, if it is there."""
    program = shutil.which("zstd")
    if program is None:
        raise Closed("zstd: there is no program zstd, so what is in it was not read")
    with subprocess.Popen(
        [program, "-dcq"], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        yield from _readable(_chunks(process.stdout))
    if process.returncode:
        raise Closed("could not be unpacked to its end: zstd says that it is broken")


def _members(file: IO[bytes]) -> Iterator[bytes]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            with archive.open(member) as content:
                yield from _chunks(content)
            yield b"\n"  # so that nothing is found across two members


def _skip_cpio(file: IO[bytes]) -> bytes:
    """Go to what follows a cpio archive, as in an initrd; how that begins."""
    file.seek(0)
    behind = 0
    held = b""
    while chunk := file.read(CHUNK):
        held = held[-len(_CPIO_END) :] + chunk
        at = held.find(_CPIO_END)
        if at >= 0:
            behind = file.tell() - len(held) + at + len(_CPIO_END)
            break
    file.seek(behind or 0, io.SEEK_SET if behind else io.SEEK_END)
    while chunk := file.read(CHUNK):
        stripped = chunk.lstrip(b"\x00")
        if stripped:
            file.seek(file.tell() - len(stripped))
            break
    begins = file.tell()
    head = file.read(16)
    file.seek(begins)
    return head


def _refuse(why: str) -> Iterator[bytes]:
    raise Closed(why)
    yield b""
