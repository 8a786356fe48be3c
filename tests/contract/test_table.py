"""What `Table` promises, on the fake and on ministack's DynamoDB (moto's PartiQL is too young)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

import emulator
from aws_parallelizer.aws.dynamodb import FREQUENT, Document, Key, Table
from aws_parallelizer.aws.quick import QuickClient
from fakes.table import FakeTable

KEYS = ["a b+c%20é.txt", "it's; rm -rf $(x).txt", "日本/語.bin", 'new\nline"q', "x" * 1000]


@pytest.fixture(params=["fake", "ministack", "ministack, the short way"])
def table(request: pytest.FixtureRequest) -> Any:
    if request.param == "fake":
        return FakeTable()
    dynamodb = emulator.client("dynamodb", request.getfixturevalue("endpoint"))
    name = f"table-{uuid.uuid4()}"
    emulator.make_table(dynamodb, name)
    if "short" in request.param:
        dynamodb = QuickClient(dynamodb, FREQUENT, credentials=emulator.credentials())
    return Table(dynamodb, name=name)


def document(
    sort: str, *, version: int = 0, text: str = "{}", state: str = "s", since: str = "1"
) -> Document:
    return Document(Key("p", sort), version, text, state, since)


def test_a_document_is_read_back_as_written_with_the_next_version(table: Any) -> None:
    assert table.write([document(key) for key in KEYS]) == [True] * len(KEYS)
    assert table.get(Key("p", KEYS[0])) == document(KEYS[0], version=1)
    assert table.get(Key("p", "none")) is None
    found = table.get_many([Key("p", key) for key in [*KEYS, "none"]])
    assert {key.sort for key in found} == set(KEYS)


def test_a_new_document_does_not_overwrite_one_that_is_there(table: Any) -> None:
    table.write([document("a", text="first")])
    assert table.write([document("a", text="second")]) == [False]
    assert table.get(Key("p", "a")).text == "first"


def test_of_two_writers_who_read_the_same_version_one_is_refused(table: Any) -> None:
    table.write([document("a"), document("b")])
    assert table.write([document("a", version=1, text="one"), document("b", version=1)]) == [
        True,
        True,
    ]
    assert table.write([document("a", version=1, text="two"), document("b", version=2)]) == [
        False,
        True,
    ]
    assert table.get(Key("p", "a")).text == "one"


def test_a_write_whose_answer_was_lost_is_recognised_as_ours(table: Any) -> None:
    table.write([document("a")])
    changed = document("a", version=1, text="mine", state="t", since="2")
    assert table.write([changed]) == [True]
    assert table.write([changed]) == [True]
    assert table.get(Key("p", "a")).version == 2


def test_more_documents_than_a_batch_takes_are_written_and_read(table: Any) -> None:
    many = [document(f"{i:03}") for i in range(130)]
    assert all(table.write(many))
    assert all(table.write([one._replace(version=1) for one in many]))
    assert len(table.get_many([one.key for one in many])) == 130


def test_a_document_without_a_state_is_not_in_the_index_and_can_be_changed(table: Any) -> None:
    table.write([document("a", state="", since="")])
    assert table.write([document("a", version=1, text="x", state="", since="")]) == [True]
    assert table.count_in_state("s") == 0


def test_the_index_follows_the_state_and_is_ordered_by_age(table: Any) -> None:
    table.write(
        [document("a", since="3"), document("b", since="1"), document("c", since="2", state="t")]
    )
    assert [key.sort for key, _ in table.in_state("s")] == ["b", "a"]
    assert [key.sort for key, _ in table.in_state("s", until="2")] == ["b"]
    table.write([document("b", version=1, state="t", since="4")])
    assert (table.count_in_state("s"), table.count_in_state("t")) == (1, 2)
    [first] = table.in_state("t", limit=1)
    assert [key.sort for key, _ in table.in_state("t", after=first)] == ["b"]


def test_a_partition_is_listed_in_order_from_a_place_on_and_under_a_prefix(table: Any) -> None:
    table.write([document(key) for key in ("b/2", "a/1", "b/1", "c")])
    assert [one.key.sort for one in table.partition("p")] == ["a/1", "b/1", "b/2", "c"]
    assert [one.key.sort for one in table.partition("p", begins="b/")] == ["b/1", "b/2"]
    assert [one.key.sort for one in table.partition("p", after="b/1", limit=1)] == ["b/2"]
    assert list(table.partition("q")) == []


def test_only_the_version_that_was_read_is_deleted(table: Any) -> None:
    table.write([document("a")])
    assert not table.delete(document("a", version=2))
    assert table.delete(document("a", version=1))
    assert not table.delete(document("a", version=1))
    assert table.get(Key("p", "a")) is None
