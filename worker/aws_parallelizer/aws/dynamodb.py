"""One DynamoDB table, spoken to in documents: a partition, a sort key, a version, a JSON text.

Each write is conditional on the version that was read, so two writers never overwrite one another
unseen.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

INDEX = "byState"
FREQUENT = ("batch_get_item", "batch_execute_statement")
_READ_BATCH = 100  # DynamoDB's limit of a BatchGetItem
_WRITE_BATCH = 25  # and of a BatchExecuteStatement
_TRIES = 8  # of what a batch left undone, 0.05 s doubling: about 13 s in all
_PASSING = frozenset(
    {
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "TransactionConflict",
        "InternalServerError",
    }
)


class Key(NamedTuple):
    """Where a document lies."""

    partition: str
    sort: str


class Document(NamedTuple):
    """What lies there. `state` and `since` (ISO time) are the index's keys; empty = not in the
    index. DynamoDB removes it some time after `expires` (seconds since 1970; 0 = never).
    """

    key: Key
    version: int
    text: str
    state: str = ""
    since: str = ""
    expires: int = 0


class Unwritten(Exception):
    """DynamoDB kept refusing to take a write for want of capacity; nothing of it was written."""


class Table:
    """The gateway. Every method raises botocore's ClientError or BotoCoreError."""

    def __init__(self, client: Any, *, name: str) -> None:
        self._client = client
        self.name = name

    def get(self, key: Key) -> Document | None:
        """The document, read consistently."""
        answer = self._client.get_item(TableName=self.name, Key=_item_key(key), ConsistentRead=True)
        return _document(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Document]:
        """Those of the documents that are there, read consistently."""
        found: dict[Key, Document] = {}
        for chunk in _chunks(dict.fromkeys(keys), _READ_BATCH):
            wanted = [_item_key(key) for key in chunk]
            for pause in _pauses():
                answer = self._client.batch_get_item(
                    RequestItems={self.name: {"Keys": wanted, "ConsistentRead": True}}
                )
                for item in answer["Responses"].get(self.name, []):
                    document = _document(item)
                    found[document.key] = document
                wanted = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
                if not wanted:
                    break
                time.sleep(pause)
            else:
                raise Unwritten(f"{len(wanted)} rows of {self.name} could not be read: throttled")
        return found

    def write(self, documents: Sequence[Document]) -> list[bool]:
        """Write each document as version + 1 where its version still stands (0: where nothing
        stands); for each, whether.

        A write that was carried out and whose answer was lost counts as written.
        """
        written = [False] * len(documents)
        known = [i for i, document in enumerate(documents) if document.version]
        for i, document in enumerate(documents):
            if not document.version:
                written[i] = self._insert(document)
        for chunk in _chunks(known, _WRITE_BATCH):
            self._update_chunk(documents, chunk, written)
        self._recognise_own(documents, written)
        return written

    def delete(self, document: Document) -> bool:
        """Delete the document if its version still stands; whether it did."""
        try:
            self._client.delete_item(
                TableName=self.name,
                Key=_item_key(document.key),
                ConditionExpression="version = :version",
                ExpressionAttributeValues={":version": {"N": str(document.version)}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False  # somebody wrote it since: the caller reads again or leaves it
        return True

    def partition(
        self, name: str, *, begins: str = "", after: str = "", limit: int | None = None
    ) -> Iterator[Document]:
        """The partition's documents in the order of their sort keys, after `after`, those that
        begin with `begins`.
        """
        condition, values = "pk = :pk", {":pk": {"S": name}}
        if begins:
            condition += " AND begins_with(sk, :begins)"
            values[":begins"] = {"S": begins}
        start = {"ExclusiveStartKey": _item_key(Key(name, after))} if after else {}
        pages = self._pages(
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
            PaginationConfig={"PageSize": min(limit or 1000, 1000)},
            **start,
        )
        for item in itertools.islice(_items(pages), limit):
            yield _document(item)

    def in_state(
        self,
        state: str,
        *,
        since: str = "",
        until: str = "",
        after: tuple[Key, str] | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> Iterator[tuple[Key, str]]:
        """(key, since) of the documents of an index state, oldest or newest first, from
        `since` to `until`, both inclusive, behind `after`.
        """
        condition, values = "#state = :state", {":state": {"S": state}}
        if since or until:
            condition += " AND since BETWEEN :since AND :until"
            values |= {":since": {"S": since or "0"}, ":until": {"S": until or "9"}}
        pages = self._pages(
            IndexName=INDEX,
            ScanIndexForward=not newest_first,
            KeyConditionExpression=condition,
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues=values,
            PaginationConfig={"PageSize": min(limit or 1000, 1000)},
            **_start(after, state),
        )
        for item in itertools.islice(_items(pages), limit):
            yield Key(item["pk"]["S"], item["sk"]["S"]), item["since"]["S"]

    def count_in_state(self, state: str) -> int:
        """How many documents the index has of a state."""
        pages = self._pages(
            IndexName=INDEX,
            Select="COUNT",
            KeyConditionExpression="#state = :state",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":state": {"S": state}},
        )
        return sum(int(page["Count"]) for page in pages)

    def _pages(self, **query: Any) -> Iterator[dict[str, Any]]:
        yield from self._query.paginate(TableName=self.name, **query)

    @functools.cached_property
    def _query(self) -> Any:
        """Made once: botocore makes a class for each."""
        return self._client.get_paginator("query")

    def _insert(self, document: Document) -> bool:
        try:
            self._client.put_item(
                TableName=self.name,
                Item=_item(document),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False  # it is there already: the caller reads it and decides anew
        return True

    def _update_chunk(
        self, documents: Sequence[Document], chunk: Sequence[int], written: list[bool]
    ) -> None:
        left = list(chunk)
        for pause in _pauses():
            answer = self._client.batch_execute_statement(
                Statements=[self._statement(documents[i]) for i in left]
            )
            again = []
            for i, response in zip(left, answer["Responses"], strict=True):
                code = response.get("Error", {}).get("Code", "")
                written[i] = not code
                if code in _PASSING:
                    again.append(i)
                elif code and code != "ConditionalCheckFailed":
                    raise Unwritten(
                        f"{documents[i].key}: {code} {response['Error'].get('Message')}"
                    )
            if not again:
                return
            left = again
            time.sleep(pause)
        raise Unwritten(f"{len(left)} rows of {self.name} could not be written: throttled")

    def _statement(self, document: Document) -> dict[str, Any]:
        item = _item(document)
        names = ("record", "version", "state", "since", "expires")
        changed = [name for name in names if name in item]
        sets = " ".join(f'SET "{name}"=?' for name in changed)
        return {
            "Statement": f'UPDATE "{self.name}" {sets} WHERE "pk"=? AND "sk"=? AND "version"=?',
            "Parameters": [
                *(item[name] for name in changed),
                item["pk"],
                item["sk"],
                {"N": str(document.version)},
            ],
        }

    def _recognise_own(self, documents: Sequence[Document], written: list[bool]) -> None:
        refused = [i for i, taken in enumerate(written) if not taken]
        if not refused:
            return
        stored = self.get_many(documents[i].key for i in refused)
        for i in refused:
            present = stored.get(documents[i].key)
            written[i] = present is not None and present == documents[i]._replace(
                version=documents[i].version + 1
            )


def _pauses() -> Iterator[float]:
    return (0.05 * 2**i for i in range(_TRIES))


def _chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(values)
    while chunk := list(itertools.islice(left, size)):
        yield chunk


def _items(pages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return itertools.chain.from_iterable(page["Items"] for page in pages)


def _start(after: tuple[Key, str] | None, state: str) -> dict[str, Any]:
    if after is None:
        return {}
    key, since = after
    return {"ExclusiveStartKey": {**_item_key(key), "state": {"S": state}, "since": {"S": since}}}


def _item_key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key.partition}, "sk": {"S": key.sort}}


def _item(document: Document) -> dict[str, Any]:
    indexed = (
        {"state": {"S": document.state}, "since": {"S": document.since}} if document.state else {}
    )
    passing = {"expires": {"N": str(document.expires)}} if document.expires else {}
    return {
        **_item_key(document.key),
        "version": {"N": str(document.version + 1)},
        "record": {"S": document.text},
        **indexed,
        **passing,
    }


def _document(item: dict[str, Any]) -> Document:
    return Document(
        key=Key(item["pk"]["S"], item["sk"]["S"]),
        version=int(item["version"]["N"]),
        text=item["record"]["S"],
        state=item.get("state", {}).get("S", ""),
        since=item.get("since", {}).get("S", ""),
        expires=int(item.get("expires", {}).get("N", "0")),
    )
