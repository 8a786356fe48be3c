"""What must hold at every moment, seen at the services and not at the workers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from aws_parallelizer.aws.dynamodb import Document
from aws_parallelizer.aws.objects import Stored
from aws_parallelizer.core import message, task
from aws_parallelizer.core.outcome import ENDED, Outcome, State
from aws_parallelizer.core.task import Task
from fakes.objects import FakeObjects
from fakes.queue import FakeQueue, Held
from fakes.table import FakeTable


class WatchedTable(FakeTable):
    """Sees how rows change."""

    def __init__(self, objects: FakeObjects, *, max_attempts: int) -> None:
        super().__init__()
        self.broken: list[str] = []  # a worker would take an exception for a service's failure
        self._objects = objects
        self._max_attempts = max_attempts

    def rows(self) -> dict[str, Task]:
        """All tasks by key."""
        return {
            key.sort: msgspec.structs.replace(task.decode(found.text), version=found.version)
            for key, found in self.documents.items()
        }

    def write(self, documents: Sequence[Document]) -> list[bool]:
        before = self.rows()
        taken = super().write(documents)
        for key, row in self.rows().items():
            if row != before.get(key):
                self._changed(before.get(key), row)
        return taken

    def _changed(self, old: Task | None, new: Task) -> None:
        if new.attempts > self._max_attempts:
            self.broken.append(f"{new.key} was tried {new.attempts} times")
        if old and old.generation == new.generation:
            counted = new.attempts - old.attempts
            ended = old.state == State.RUNNING and new.state != State.RUNNING
            free = new.outcome in (Outcome.INTERRUPTED, Outcome.INPUT_MISSING)
            if counted != (ended and not free):
                self.broken.append(
                    f"{new.key}: {counted} attempts counted, {old.state} {new.outcome}"
                )
            if old.state in ENDED:
                self.broken.append(f"{new.key} had ended as {old.state}, and is {new.state}")
        if new.state == State.DONE:
            self.require_kept(new)

    def require_kept(self, row: Task) -> None:
        """The bytes of a task that is done are those that its row speaks of."""
        for output in row.outputs:
            kept = self._objects.kept.get(("out", output.key))
            if kept is None or output.checksum != _checksum(kept.body):
                self.broken.append(
                    f"{row.key} is done, and {output.key} is not what it made: {kept}"
                )


class WatchedObjects(FakeObjects):
    """Sees what is overwritten."""

    table: WatchedTable

    async def store(
        self, body: bytes, *, bucket: str, key: str, maker: str = "", replace: bool | str = False
    ) -> Stored:
        stored = await super().store(body, bucket=bucket, key=key, maker=maker, replace=replace)
        for row in self.table.rows().values():
            if row.state == State.DONE and any(each.key == key for each in row.outputs):
                self.table.require_kept(row)
        return stored


class WatchedQueue(FakeQueue):
    """Sees what is deleted."""

    table: WatchedTable

    def delete(self, handles: Sequence[str]) -> list[bool]:
        rows = self.table.rows()
        for handle in handles:
            if held := self._bearer(handle):
                self._require_over(held, rows)
        return super().delete(handles)

    def _require_over(self, held: Held, rows: dict[str, Task]) -> None:
        told = message.decode(held.body)
        row = rows[told.key]
        other = row.message_id != held.message_id and row.message_id in self._messages
        if row.etag == told.etag and row.state not in ENDED and not other:
            self.table.broken.append(
                f"the message of {told.key} was deleted while it is {row.state}"
            )


def _checksum(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
