"""What a program writes is kept in bounds, whatever it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from aws_parallelizer.core.errors import BadOutput
from aws_parallelizer.worker import transcript
from aws_parallelizer.worker.transcript import Log, Names, Transcript


def names(*chunks: bytes, existing: frozenset[bytes] = frozenset()) -> list[bytes]:
    taken = Names(existing.__contains__)
    for chunk in chunks:
        taken.feed(chunk)
    return taken.close()


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([], []),
        ([b"one\ntwo\n"], [b"one", b"two"]),
        ([b"one\ntwo"], [b"one", b"two"]),
        ([b"o", b"ne", b"\n", b"\n", b"two\n"], [b"one", b"two"]),
        ([b"one\n" * 3], [b"one"]),
        ([b"x" * 8193 + b"\none\n"], [b"one"]),
        ([b"x" * 8000, b"x" * 8000, b"\none\n"], [b"one"]),
        ([b"x" * 8192 + b"\n"], [b"x" * 8192]),
    ],
)
def test_lines_are_taken_as_they_come(chunks: list[bytes], lines: list[bytes]) -> None:
    assert names(*chunks) == lines


def test_of_too_many_lines_those_that_name_something_stay() -> None:
    words = b"".join(b"word %d\n" % number for number in range(transcript.MAX_LINES))
    kept = names(b"made\n", words, b"made too\n", existing=frozenset({b"made"}))
    assert kept == [b"made", b"made too"]


def test_more_names_than_anyone_can_mean_is_a_bad_output() -> None:
    lines = [b"%d" % number for number in range(transcript.MAX_LINES + 1)]
    with pytest.raises(BadOutput, match="more than 10,000"):
        names(b"\n".join(lines) + b"\n", existing=frozenset(lines))


def test_the_last_4_kib_of_both_streams_stay_as_they_came() -> None:
    written = Transcript(lambda _line: False, log=None)
    written.out(b"a" * 5000)
    written.error("end é".encode() + b"\xff")
    assert len(written.last_output()) == 4096 - 1  # é has two bytes
    assert written.last_output().endswith("aend é\ufffd")


def test_a_log_ends_at_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "LOG_BYTES", 10)
    kept = Log(tmp_path)
    for chunk in (b"12345", b"6789012345", b"more"):
        kept.feed(chunk)
    assert kept.save(tmp_path / "log")
    assert (tmp_path / "log").read_bytes() == b"1234567890"
    kept.close()


def test_nothing_written_is_no_log(tmp_path: Path) -> None:
    kept = Log(tmp_path)
    assert not kept.save(tmp_path / "log")
    kept.close()
