"""Keys as paths, as outputs, as shards."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_parallelizer.core import keys
from aws_parallelizer.core.errors import BadOutput, KeyRefused

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


@pytest.mark.parametrize(
    ("key", "name", "expected"),
    [
        ("in/a.txt", "a.json", "out/a.json"),
        ("in/x/y/a.txt", "a.json", "out/x/y/a.json"),
        ("in/x/a.txt", "sub/a.json", "out/x/sub/a.json"),
        ("elsewhere/a.txt", "a.json", "out/elsewhere/a.json"),
        ("in/日本/語.bin", "語.txt", "out/日本/語.txt"),
    ],
)
def test_defect_12_an_output_keeps_its_inputs_directory(key: str, name: str, expected: str) -> None:
    assert keys.output_key(key, input_prefix="in/", output_prefix="out/", name=name) == expected


def test_an_output_key_that_s3_cannot_hold_is_a_bad_output() -> None:
    for name in ("x" * 1025, "not-utf8-\udcff"):
        with pytest.raises(BadOutput):
            keys.output_key("in/a", input_prefix="in/", output_prefix="", name=name)


@pytest.mark.parametrize(
    "key", ["a/../b", "../b", "/a", "a//b", "a/", ".", "a\0b", "a/" + "x" * 256]
)
def test_defect_23_a_key_that_would_leave_its_folder_or_be_no_file_is_refused(key: str) -> None:
    with pytest.raises(KeyRefused):
        keys.below(Path("/tmp/x"), key)


@given(TEXT)
def test_no_key_leads_outside_its_folder(key: str) -> None:
    folder = Path("/tmp/folder")
    try:
        path = keys.below(folder, key)
    except KeyRefused:
        return
    assert folder in Path(path).resolve().parents


@given(TEXT)
def test_every_key_has_an_input_name_that_a_file_can_bear(key: str) -> None:
    name = keys.input_name(key)
    assert name not in ("", ".", "..")
    assert "/" not in name
    assert "\0" not in name
    assert len(name.encode()) <= 255


def test_inputs_whose_names_no_file_can_bear_get_names_that_differ() -> None:
    odd = ["a/..", "b/..", "a/.", "x" * 256 + ".jpg", "y" * 256 + ".jpg"]
    assert len({keys.input_name(key) for key in odd}) == len(odd)
    assert keys.input_name("x" * 256 + ".jpg").endswith(".jpg")


@given(TEXT)
def test_every_key_has_one_of_the_shards(key: str) -> None:
    assert 0 <= keys.shard(key) < keys.SHARDS


def test_keys_of_one_job_are_spread_over_all_shards() -> None:
    assert {keys.shard(f"job/file-{i}.txt") for i in range(1000)} == set(range(keys.SHARDS))


def test_five_thousand_writes_a_second_of_one_job_stay_below_what_a_partition_takes() -> None:
    # DynamoDB: 1,000 a second for each partition, of the table and of an index.
    written = Counter(keys.shard(f"scans/2026/{i:08}.tif") for i in range(5000))
    assert max(written.values()) < 1000


def test_only_an_empty_object_whose_key_ends_in_a_slash_is_a_directory_marker() -> None:
    assert keys.is_directory_marker("a/", 0)
    assert not keys.is_directory_marker("a/", 3)
    assert not keys.is_directory_marker("a", 0)
