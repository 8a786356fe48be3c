"""On a raw disk a secret is found wherever it lies, also across the pieces that are read."""

from __future__ import annotations

import itertools
from pathlib import Path
from re._parser import parse  # type: ignore[import-not-found]  # the one that knows widths

import pytest
from hypothesis import given
from hypothesis import strategies as some

from image.audit import __main__ as program
from image.audit import disk, work
from image.audit.patterns import EVERYWHERE, LONGEST
from image.audit.scan import CHUNK, Match, scan

SECRETS = (
    b"AKIAQWERTYUIOPASDFGH",
    b"-----BEGIN EC PRIVATE KEY-----\n" + b"aB3/" * 30,
    b"ghp_" + b"a1B2" * 9,
    b"https://me:hunter2hunter2@example.net",
    b"IQoJb3JpZ2lu" + b"aB3/" * 400,
)


def cut(text: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[begin:end] for begin, end in itertools.pairwise(ends)]


def whole(text: bytes) -> list[Match]:
    return sorted(
        Match(pattern.kind, found.start(), found[0])
        for pattern in EVERYWHERE
        for found in pattern.expression.finditer(text)
    )


@given(
    pieces=some.lists(
        some.one_of(
            some.sampled_from(SECRETS),
            some.binary(max_size=60),
            some.integers(0, 2 * LONGEST).map(lambda size: b"\n" * size),
        ),
        max_size=8,
    ),
    places=some.lists(some.integers(0, 1 << 20), max_size=12),
)
def test_the_same_is_found_however_the_stream_is_cut(
    pieces: list[bytes], places: list[int]
) -> None:
    text = b"".join(pieces)
    assert sorted(scan(cut(text, places), EVERYWHERE)) == whole(text)


def test_what_stands_before_a_match_is_seen_across_a_cut() -> None:
    text = b"\n" * 9 + b"Z" + SECRETS[0] + b"\n" * 2 * LONGEST
    assert whole(text) == []  # letters before it: no key's name, but a piece of something longer
    for place in range(LONGEST, LONGEST + 20):
        assert list(scan(cut(text, [place]), EVERYWHERE)) == []


@pytest.mark.parametrize("before", range(-45, 5, 3))
def test_a_secret_across_the_edge_of_a_chunk_is_found_once(tmp_path: Path, before: int) -> None:
    file = tmp_path / "disk.raw"
    file.write_bytes(b"\0" * (CHUNK + before) + SECRETS[2] + b"\0" * CHUNK)
    [finding] = disk.audit(file).findings
    assert (finding.kind, finding.offset) == ("github-token", CHUNK + before)


@pytest.mark.parametrize("before", [-5000, -4000, -60, -10, 0, 3])
def test_a_secret_across_the_edge_of_what_two_processes_read_is_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    monkeypatch.setattr(disk, "_STRETCH", 1 << 16)
    file = tmp_path / "disk.raw"
    file.write_bytes(b"\0" * ((1 << 16) + before) + b" ".join(SECRETS) + b"\0" * (1 << 17))
    stretches = disk.audit(file).findings
    monkeypatch.setattr(disk, "_STRETCH", 1 << 20)
    assert stretches == disk.audit(file).findings
    assert len(stretches) == len(SECRETS)


def test_processes_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "disk.raw"
    file.write_bytes((b"\0" * 50_000 + SECRETS[0]) * 9)
    alone = disk.audit(file)
    monkeypatch.setattr(disk, "_STRETCH", 1 << 17)
    monkeypatch.setattr(work, "WORTH_PROCESSES", 0)
    assert disk.audit(file) == alone
    assert len(alone.findings) == 9


def test_an_allowed_value_is_allowed_in_blocks_and_hides_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "disk.raw"
    file.write_bytes(b"x AKIAIOSFODNN7EXAMPLE y")
    assert program.main(["--disk", str(file)]) == program.CLEAN
    file.write_bytes(b"x AKIAIOSFODNN7EXAMPLE y " + SECRETS[0])
    assert [each.offset for each in disk.audit(file).refused] == [25]


def test_what_lies_behind_a_hole_is_found_and_the_hole_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "disk.raw"
    with file.open("wb") as written:
        written.truncate(1 << 33)
        written.seek(1 << 32)
        written.write(SECRETS[0])
    report = disk.audit(file)
    assert [each.offset for each in report.findings] == [1 << 32]
    assert report.bytes < 1 << 20


def test_a_disk_with_nothing_in_it_is_clean(tmp_path: Path) -> None:
    file = tmp_path / "disk.raw"
    file.touch()
    assert program.main(["--disk", str(file)]) == program.CLEAN
    with file.open("wb") as written:
        written.truncate(1 << 20)
    assert program.main(["--disk", str(file)]) == program.CLEAN


def test_a_disk_with_a_deleted_key_is_not_clean(tmp_path: Path) -> None:
    file = tmp_path / "disk.raw"
    file.write_bytes(b"\0" * 5000 + SECRETS[1] + b"\0" * 5000)
    assert program.main(["--disk", str(file)]) == program.FOUND


def test_every_pattern_is_bounded_and_begins_with_letters_that_are_quick_to_find() -> None:
    for pattern in EVERYWHERE:
        text = pattern.expression.pattern
        _, longest = parse(text.decode()).getwidth()
        assert longest <= LONGEST, text
        assert not text.startswith((b"[", b"(")), text
