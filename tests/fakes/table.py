"""A DynamoDB table in memory: `aws.dynamodb.Table`'s methods and promises."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from aws_parallelizer.aws.dynamodb import Document, Key


class FakeTable:
    """Documents by key; each write is conditional on the version that stands."""

    def __init__(self, name: str = "ledger") -> None:
        self.name = name
        self.documents: dict[Key, Document] = {}

    def get(self, key: Key) -> Document | None:
        return self.documents.get(key)

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Document]:
        return {key: self.documents[key] for key in keys if key in self.documents}

    def write(self, documents: Sequence[Document]) -> list[bool]:
        return [self._write(document) for document in documents]

    def delete(self, document: Document) -> bool:
        standing = self.documents.get(document.key)
        if standing is None or standing.version != document.version:
            return False
        del self.documents[document.key]
        return True

    def partition(
        self, name: str, *, begins: str = "", after: str = "", limit: int | None = None
    ) -> Iterator[Document]:
        inside = [
            document
            for key, document in self.documents.items()
            if key.partition == name and key.sort.startswith(begins) and key.sort > after
        ]
        ordered = sorted(inside, key=lambda document: document.key.sort.encode())
        yield from itertools.islice(ordered, limit)

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
        places = sorted(
            (
                (document.since, document.key)
                for document in self.documents.values()
                if document.state == state and since <= document.since <= (until or "9")
            ),
            reverse=newest_first,
        )
        start = (after[1], after[0]) if after else ("", Key("", ""))
        behind = ((key, since) for since, key in places if (since, key) > start)
        yield from itertools.islice(behind, limit)

    def count_in_state(self, state: str) -> int:
        return sum(document.state == state for document in self.documents.values())

    def _write(self, document: Document) -> bool:
        standing = self.documents.get(document.key)
        stored = document._replace(version=document.version + 1)
        if standing == stored:
            return True
        if (standing.version if standing else 0) != document.version:
            return False
        self.documents[document.key] = stored
        return True
