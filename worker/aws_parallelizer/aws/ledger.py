"""The ledger: each task's row, found without a scan by key, by state, by age.

Rows of a job lie in SHARDS partitions `task#<job>#<shard>` under their keys; the index has them by
`<job>#<state>#<shard>` in the order of `since`, the time of their last change of state. The
numbers by state are counted from the index, so they cannot drift from the rows.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from aws_parallelizer.aws.dynamodb import Document, Key, Table
from aws_parallelizer.core import keys, task
from aws_parallelizer.core.errors import NotFound
from aws_parallelizer.core.outcome import ENDED, OPEN, State
from aws_parallelizer.core.task import Task

PAGE = 100
_COUNTS = 5  # tries to count while tasks move from state to state
_PARALLEL = 8  # queries at once: one for each shard


class Page(NamedTuple):
    """Some tasks, and the token for the following ones; an empty token = no more."""

    tasks: list[Task]
    next: str


class _Place(NamedTuple):
    shard: int = 0
    key: str = ""
    since: str = ""


class Ledger:
    """The rows of all jobs' tasks in one table. Raises what `Table` raises."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._threads = ThreadPoolExecutor(_PARALLEL)  # none is started before it is needed

    @property
    def table_name(self) -> str:
        """The DynamoDB table's name, as user data gives it to workers."""
        return self._table.name

    def get(self, job: str, key: str) -> Task:
        """One task; raises NotFound."""
        found = self._table.get(_key(job, key))
        if found is None:
            raise NotFound(f"job {job} has no task {key!r}")
        return _task(found)

    def get_many(self, job: str, wanted: Iterable[str]) -> dict[str, Task]:
        """Those tasks of the wanted keys that there are."""
        found = self._table.get_many(_key(job, key) for key in wanted)
        return {at.sort: _task(document) for at, document in found.items()}

    def write(self, tasks: Sequence[Task]) -> list[Task | None]:
        """Write each row if its version still stands: the row as stored, or None where another
        writer came first.
        """
        written = self._table.write([_document(row) for row in tasks])
        return [
            msgspec.structs.replace(row, version=row.version + 1) if taken else None
            for row, taken in zip(tasks, written, strict=True)
        ]

    def counts(self, job: str) -> dict[State, int]:
        """How many tasks there are in each state.

        A task that changes its state between two queries would be counted twice or not at all, so
        the open ones are counted before and after the ended ones, again until both agree: when
        nothing is open, the numbers are exact.
        """
        opened = self._count(job, OPEN)
        for _ in range(_COUNTS):
            ended = self._count(job, ENDED)
            before, opened = opened, self._count(job, OPEN)
            if opened == before:
                break
        return {**opened, **ended}

    def _count(self, job: str, states: Iterable[State]) -> dict[State, int]:
        cells = [(state, shard) for state in states for shard in range(keys.SHARDS)]
        numbers = list(
            self._threads.map(lambda cell: self._table.count_in_state(_state(job, *cell)), cells)
        )
        totals: dict[State, int] = dict.fromkeys(states, 0)
        for (state, _), number in zip(cells, numbers, strict=True):
            totals[state] += number
        return totals

    def has_any(self, job: str, states: Iterable[State]) -> bool:
        """Whether there is a task in one of the states."""
        return any(True for _ in self.in_states(job, states, limit=1))

    def in_states(
        self,
        job: str,
        states: Iterable[State],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[str]:
        """Keys of tasks that came into the states from `since` to `until`; at most `limit` of each
        state and shard.
        """
        first, last = _iso(since) if since else "", _iso(until) if until else ""
        for state in states:
            for shard in range(keys.SHARDS):
                for at, _ in self._table.in_state(
                    _state(job, state, shard), since=first, until=last, limit=limit
                ):
                    yield at.sort

    def newest(self, job: str, state: State, *, shard: int, limit: int) -> list[Task]:
        """The tasks of one shard that came into the state last; at most 100."""
        found = self._table.in_state(_state(job, state, shard), limit=limit, newest_first=True)
        return list(self.get_many(job, [at.sort for at, _ in found]).values())

    def newest_times(
        self, job: str, states: Iterable[State], *, limit: int
    ) -> list[list[datetime]]:
        """When tasks came into the states, the newest first: at most `limit` times of each state
        and shard.
        """
        cells = [_state(job, state, shard) for state in states for shard in range(keys.SHARDS)]

        def times(cell: str) -> list[datetime]:
            found = self._table.in_state(cell, limit=limit, newest_first=True)
            return [datetime.fromisoformat(since) for _, since in found]

        return list(self._threads.map(times, cells))

    def page(
        self,
        job: str,
        *,
        state: State | None = None,
        prefix: str = "",
        token: str = "",
        limit: int = PAGE,
    ) -> Page:
        """Up to `limit` tasks of a state or of all, with keys under `prefix`; raises ValueError for
        a bad `token`.

        All: by shard and key. Of a state: by shard, the oldest first, through the index.
        """
        place = _read_token(token)
        found: list[Task] = []
        while place.shard < keys.SHARDS:
            part = self._part(job, place, state=state, prefix=prefix, limit=limit)
            for spot, row in part:
                place = spot
                if row and row.key.startswith(prefix) and state in (None, row.state):
                    found.append(row)
                if len(found) == limit:
                    return Page(found, _token(place))
            if len(part) < limit:
                place = _Place(place.shard + 1)
        return Page(found, "")

    def stretch(self, job: str, state: State, *, until: datetime, token: str, limit: int) -> Page:
        """The next tasks in the state since `until` or earlier, in one query: up to `limit`, often
        fewer and sometimes none before the end. The token stays good when those tasks change.
        """
        place = _read_token(token)
        spots = self._spots(job, place, state=state, until=_iso(until), limit=limit)
        rows = self.get_many(job, [at.sort for at, _ in spots])
        found = [row for row in rows.values() if row.state == state]
        if len(spots) == limit:
            at, since = spots[-1]
            return Page(found, _token(_Place(place.shard, at.sort, since)))
        following = place.shard + 1
        return Page(found, _token(_Place(following)) if following < keys.SHARDS else "")

    def purge(self, job: str) -> int:
        """Remove up to a few thousand of the job's rows; how many. Call until 0."""
        removed = 0
        for shard in range(keys.SHARDS):
            for document in self._table.partition(_partition(job, shard), limit=500):
                removed += self._table.delete(document)
        return removed

    def _part(
        self, job: str, place: _Place, *, state: State | None, prefix: str, limit: int
    ) -> list[tuple[_Place, Task | None]]:
        if state is None:
            documents = self._table.partition(
                _partition(job, place.shard), begins=prefix, after=place.key, limit=limit
            )
            return [(_Place(place.shard, row.key), row) for row in map(_task, documents)]
        spots = self._spots(job, place, state=state, limit=limit)
        rows = self.get_many(job, [at.sort for at, _ in spots])
        return [(_Place(place.shard, at.sort, since), rows.get(at.sort)) for at, since in spots]

    def _spots(
        self, job: str, place: _Place, *, state: State, until: str = "", limit: int
    ) -> list[tuple[Key, str]]:
        after = (_key(job, place.key), place.since) if place.key else None
        cell = _state(job, state, place.shard)
        return list(self._table.in_state(cell, until=until, after=after, limit=limit))


def _partition(job: str, shard: int) -> str:
    return f"task#{job}#{shard}"


def _key(job: str, key: str) -> Key:
    return Key(_partition(job, keys.shard(key)), key)


def _state(job: str, state: State, shard: int) -> str:
    return f"{job}#{state}#{shard}"


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _document(row: Task) -> Document:
    return Document(
        key=_key(row.job, row.key),
        version=row.version,
        text=task.encode(row).decode(),
        state=_state(row.job, row.state, keys.shard(row.key)),
        since=_iso(row.since),
    )


def _task(document: Document) -> Task:
    return msgspec.structs.replace(task.decode(document.text), version=document.version)


def _token(place: _Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def _read_token(token: str) -> _Place:
    if not token:
        return _Place()
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(token), type=_Place)
    except (ValueError, msgspec.MsgspecError) as error:
        raise ValueError("next is not a token that an earlier page gave") from error
