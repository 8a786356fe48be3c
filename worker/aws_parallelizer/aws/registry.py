"""Everything in the ledger's table that is not a task: jobs, fleets, launch intents, beats, marks,
prices, the lease, the nudge's gate, enqueues under way, answers.

One partition a kind; each write is conditional on the version that was read.
"""

from __future__ import annotations

import base64
import math
import uuid
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from aws_parallelizer.aws.dynamodb import Document, Key, Table
from aws_parallelizer.core.enqueue import Progress
from aws_parallelizer.core.errors import Conflict, NotFound
from aws_parallelizer.core.fleet import Beat, Fleet, Intent, Mark
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.spending import PriceList

_PRICES = Key("prices", "on-demand")
_LONG = 50_000  # bytes; DynamoDB takes 400 KB an item, and money for each of them
_PACKED = "zlib:"
_LONGEST_LEASE = timedelta(minutes=15)  # as long as Lambda lets a function run
_CHANGES = 20  # tries to change a row that others write too
_PROGRESS_KEPT = timedelta(days=30)  # of an enqueue that nobody ended

R = TypeVar("R", Job, Fleet, Intent, Beat, Mark, Progress, PriceList)


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Who may act until when; `fence` grows with each holder."""

    owner: str
    until: datetime
    fence: int
    version: int = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a POST with an Idempotency-Key was answered, for its repetition."""

    request: str
    status: int
    body: str
    until: datetime


class Registry:
    """The gateway. Raises what `Table` raises."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def jobs(self) -> list[Job]:
        """All jobs, by name."""
        return [_read(document, Job) for document in self._table.partition("job")]

    def job(self, name: str) -> Job:
        """One job; raises NotFound."""
        return self._get(Key("job", name), Job, _no_job(name))

    def add_job(self, job: Job) -> Job:
        """Store a new job; raises Conflict where there is one of its name."""
        return self._put(Key("job", job.name), job, f"job {job.name} was made by another call")

    def change_job(self, name: str, change: Callable[[Job], Job]) -> Job:
        """Apply `change` to the job as it stands, again if another writer came between; raises
        NotFound. What a newer release wrote in the row and this one does not know stays there.
        """
        for _ in range(_CHANGES):
            found = self._table.get(Key("job", name))
            if found is None:
                raise NotFound(_no_job(name))
            present = _read(found, Job)
            changed = change(present)
            if changed == present:
                return present
            text = _with_unknown(msgspec.json.encode(changed).decode(), found.text, Job)
            [taken] = self._table.write([Document(found.key, found.version, text)])
            if taken:
                return msgspec.structs.replace(changed, version=found.version + 1)
            # Another writer came between: nothing of this try was written, so read again.
        raise Conflict(f"job {name} is being changed by many others; try again")

    def remove_job(self, job: Job) -> bool:
        """Remove the job and its fleet's row, if nobody changed it since; whether it went."""
        gone = self._table.delete(Document(Key("job", job.name), job.version, ""))
        fleet = self._table.get(Key("fleet", job.name))
        if gone and fleet:
            self._table.delete(fleet)
        return gone

    def fleet(self, job: str) -> Fleet | None:
        """What reconcile last saw, or None before its first tick."""
        found = self._table.get(Key("fleet", job))
        return _read(found, Fleet) if found else None

    def put_fleet(self, fleet: Fleet) -> Fleet:
        """Store; raises Conflict where another tick wrote since."""
        return self._put(
            Key("fleet", fleet.job), fleet, f"another tick wrote the fleet of {fleet.job}"
        )

    def intents(self, job: str) -> list[Intent]:
        """The job's launch intents, resolved ones too, in no order."""
        return [_read(document, Intent) for document in self._table.partition(f"intent#{job}")]

    def put_intent(self, intent: Intent) -> Intent:
        """Store; raises Conflict where another writer came first."""
        key = Key(f"intent#{intent.job}", intent.id)
        return self._put(key, intent, f"launch {intent.id} was changed by another tick")

    def remove_intent(self, intent: Intent) -> bool:
        """Remove a resolved intent."""
        return self._table.delete(
            Document(Key(f"intent#{intent.job}", intent.id), intent.version, "")
        )

    def beats(self, job: str) -> list[Beat]:
        """What the job's workers last said of themselves, by instance."""
        return [_read(document, Beat) for document in self._table.partition(f"beat#{job}")]

    def beat(self, job: str, instance: str) -> Beat | None:
        """What one worker last said of itself."""
        found = self._table.get(Key(f"beat#{job}", instance))
        return _read(found, Beat) if found else None

    def put_beat(self, beat: Beat) -> Beat:
        """Store; raises Conflict where the row is not as this worker left it."""
        key = Key(f"beat#{beat.job}", beat.instance)
        return self._put(key, beat, f"the row of instance {beat.instance} was changed by another")

    def remove_beat(self, beat: Beat) -> bool:
        """Remove the row of a worker whose instance is gone."""
        return self._table.delete(
            Document(Key(f"beat#{beat.job}", beat.instance), beat.version, "")
        )

    def marks(self) -> list[Mark]:
        """Instances that EC2 said it takes back."""
        return [_read(document, Mark) for document in self._table.partition("mark")]

    def mark(self, instance: str) -> Mark | None:
        """What EC2 last said of the instance, or None."""
        found = self._table.get(Key("mark", instance))
        return _read(found, Mark) if found else None

    def put_mark(self, mark: Mark) -> Mark:
        """Store; raises Conflict where another event came first."""
        key = Key("mark", mark.instance)
        return self._put(key, mark, f"instance {mark.instance} is marked already")

    def remove_mark(self, mark: Mark) -> bool:
        """Remove a mark that says nothing any more."""
        return self._table.delete(Document(Key("mark", mark.instance), mark.version, ""))

    def progress(self, job: str, run: str) -> Progress | None:
        """How far an enqueue of the job is, if it is known."""
        found = self._table.get(Key(f"enqueue#{job}", run))
        return _read(found, Progress) if found else None

    def put_progress(self, progress: Progress) -> Progress:
        """Store; raises Conflict where another step of the enqueue wrote since."""
        return self._put(
            Key(f"enqueue#{progress.job}", progress.run),
            progress,
            f"another step carries enqueue {progress.run} on",
            expires=progress.carried + _PROGRESS_KEPT,
        )

    def prices(self) -> PriceList | None:
        """The on-demand prices, or None where nobody could read them."""
        found = self._table.get(_PRICES)
        return _read(found, PriceList) if found else None

    def put_prices(self, prices: PriceList) -> PriceList:
        """Store in place of what is there; raises Conflict where another writer came between."""
        present = self._table.get(_PRICES)
        replaced = msgspec.structs.replace(prices, version=present.version if present else 0)
        return self._put(_PRICES, replaced, "another deploy wrote the prices")

    def take_lease(self, name: str, *, owner: str, now: datetime, seconds: float) -> Lease | None:
        """The lease if it is free, run out, or ours already; None while another holds it. One that
        seems to last longer than any can was written by a clock that was wrong.
        """
        key = Key("lease", name)
        found = self._table.get(key)
        held = msgspec.json.decode(found.text, type=Lease) if found else None
        left = held.until - now if held and held.owner != owner else timedelta(0)
        if timedelta(0) < left <= _LONGEST_LEASE:
            return None
        lease = Lease(
            owner=owner, until=now + timedelta(seconds=seconds), fence=held.fence + 1 if held else 1
        )
        version = found.version if found else 0
        [taken] = self._table.write([Document(key, version, _text(lease))])
        return msgspec.structs.replace(lease, version=version + 1) if taken else None

    def give_back(self, name: str, lease: Lease, *, now: datetime) -> None:
        """End the lease early; harmless where another has taken it since."""
        ended = msgspec.structs.replace(lease, until=now)
        self._table.write([Document(Key("lease", name), lease.version, _text(ended))])

    def may_nudge(self, *, now: datetime, seconds: float) -> bool:
        """Whether nobody nudged in the last `seconds`; whoever is told so has the nudge to give."""
        gate = self.take_lease("nudge", owner=uuid.uuid4().hex, now=now, seconds=seconds)
        return gate is not None

    def answer(self, idempotency_key: str, *, now: datetime) -> Answer | None:
        """The stored answer to an earlier request with this key; one that is too old is removed."""
        found = self._table.get(Key("answer", idempotency_key))
        if found is None:
            return None
        stored = msgspec.json.decode(_unpacked(found.text), type=Answer)
        if stored.until > now:
            return stored
        self._table.delete(found)
        return None

    def keep_answer(self, idempotency_key: str, answer: Answer) -> None:
        """Store an answer; the first one stays."""
        key = Key("answer", idempotency_key)
        self._table.write([Document(key, 0, _text(answer), expires=_seconds(answer.until))])

    def _get(self, key: Key, kind: type[R], missing: str) -> R:
        found = self._table.get(key)
        if found is None:
            raise NotFound(missing)
        return _read(found, kind)

    def _put(self, key: Key, record: R, refused: str, *, expires: datetime | None = None) -> R:
        until = _seconds(expires) if expires else 0
        [taken] = self._table.write([Document(key, record.version, _text(record), expires=until)])
        if not taken:
            raise Conflict(refused)
        return msgspec.structs.replace(record, version=record.version + 1)


def _read(document: Document, kind: type[R]) -> R:
    record = msgspec.json.decode(_unpacked(document.text), type=kind)
    return msgspec.structs.replace(record, version=document.version)


def _no_job(name: str) -> str:
    return f"there is no job {name}"


def _with_unknown(text: str, stored: str, kind: type[msgspec.Struct]) -> str:
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    fields = msgspec.json.decode(stored, type=dict[str, msgspec.Raw])
    unknown = {name: value for name, value in fields.items() if name not in known}
    if not unknown:
        return text
    return msgspec.json.encode(
        {**msgspec.json.decode(text, type=dict[str, msgspec.Raw]), **unknown}
    ).decode()


def _seconds(time: datetime) -> int:
    return math.ceil(time.timestamp())


def _text(record: msgspec.Struct) -> str:
    """The record as JSON; a long one, such as a fleet of thousands, packed into fewer bytes."""
    text = msgspec.json.encode(record)
    if len(text) < _LONG:
        return text.decode()
    return _PACKED + base64.b64encode(zlib.compress(text)).decode()


def _unpacked(text: str) -> bytes:
    if not text.startswith(_PACKED):
        return text.encode()
    return zlib.decompress(base64.b64decode(text.removeprefix(_PACKED)))
