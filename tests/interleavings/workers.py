"""The workers of a job, as the control plane meets them: they boot, give signs of life, take tasks,
end them, drain, cancel their own persistent request and power off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from aws_parallelizer.aws.sqs import Received
from aws_parallelizer.core import attempts, message
from aws_parallelizer.core.attempts import Start
from aws_parallelizer.core.errors import Conflict, NotFound
from aws_parallelizer.core.fleet import Beat, Phase
from aws_parallelizer.core.outcome import Outcome
from aws_parallelizer.core.task import Ended, Task
from fakes.ec2 import Machine
from fakes.queue import FakeQueue
from fleets import World
from local import spot
from local.spot import SpotType

BOOT = timedelta(seconds=90)
LEASE_SECONDS = 120
BAD = "bad"  # in a key: the program fails on it


@dataclass
class Held:
    """A task in a slot."""

    received: Received
    row: Task
    until: datetime


@dataclass
class Worker:
    """The worker process of one run of an instance."""

    machine: Machine
    since: datetime
    idle_since: datetime
    held: list[Held] = field(default_factory=list)
    beat: Beat | None = None
    ended: bool = False


@dataclass
class Workers:
    """All workers of the job. `mute` ones work on without a sign of life; `hung` ones do nothing
    any more; `dead` instances never come to have one.
    """

    world: World
    job: str
    slots: int
    span: timedelta  # of a task
    idle: timedelta
    behavior: str
    shuts_down: bool = True
    at_work: dict[str, Worker] = field(default_factory=dict)
    mute: set[str] = field(default_factory=set)
    hung: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    forgets_to_delete: bool = False
    queue: FakeQueue = field(init=False)

    def __post_init__(self) -> None:
        self.queue = self.world.queue(self.job)  # it outlives the job's row

    @property
    def now(self) -> datetime:
        return self.world.ec2.now

    def step(self, machines: list[Machine]) -> None:
        """Let all of them do what is due now."""
        running = {each.id: each for each in machines if each.state == "running"}
        for id_ in self.at_work.keys() - running.keys():
            del self.at_work[id_]
        for machine in running.values():
            worker = self.at_work.get(machine.id)
            if worker and worker.since != machine.launched:
                del self.at_work[machine.id]  # it was stopped and started meanwhile
                worker = None
            if worker is None and self._boots(machine):
                worker = Worker(machine, machine.launched, idle_since=self.now)
                self.at_work[machine.id] = worker
            if worker and not worker.ended and machine.id not in self.hung:
                self._turn(worker)

    def busy(self, id_: str) -> bool:
        """Whether the instance has a task in hand that is its own to end."""
        worker = self.at_work.get(id_)
        return worker is not None and any(self._is_its_own(held) for held in worker.held)

    def last_sign(self, id_: str) -> datetime | None:
        """When its worker last gave a sign of life."""
        worker = self.at_work.get(id_)
        return worker.beat.seen if worker and worker.beat else None

    def _boots(self, machine: Machine) -> bool:
        return self.now - machine.launched >= BOOT and machine.id not in self.dead

    def _turn(self, worker: Worker) -> None:
        for held in list(worker.held):
            if held.until <= self.now:
                worker.held.remove(held)
                self._end(held)
        leasing = self._may_lease() and worker.machine.reclaimed_at is None
        if worker.machine.reclaimed_at is not None:
            self._release(worker)
        elif leasing:
            self._take(worker)
        if worker.held:
            worker.idle_since = self.now
        self.queue.extend({held.received.handle: LEASE_SECONDS for held in worker.held})
        self._say(worker, Phase.WORKING)
        if self.now - worker.idle_since >= self.idle and worker.machine.reclaimed_at is None:
            self._leave(worker)

    def _may_lease(self) -> bool:
        try:
            return self.world.registry.job(self.job).leasing
        except NotFound:
            return False

    def _take(self, worker: Worker) -> None:
        free = self.slots - len(worker.held)
        for received in self.queue.receive(free, wait_seconds=0, lease_seconds=LEASE_SECONDS):
            body = message.decode(received.body)
            claim = attempts.claim(
                self._row(body.key),
                body,
                message_id=received.message_id,
                instance=worker.machine.id,
                environment="e",
                now=self.now,
            )
            if not isinstance(claim, Start):
                self.queue.delete([received.handle])
                continue
            [row] = self.world.ledger.write([claim.task])
            if row:
                worker.held.append(Held(received, row, self.now + self.span))

    def _end(self, held: Held) -> None:
        bad = BAD in held.row.key
        outcome = Outcome.PROGRAM_ERROR if bad else Outcome.DONE
        ended = Ended(outcome=outcome, seconds=self.span.total_seconds(), exit_code=int(bad))
        row = attempts.end(held.row, ended, max_attempts=2, now=self.now)
        [stored] = self.world.ledger.write([row])
        if stored is None or self.forgets_to_delete:
            return  # another has the task; or the machine dies between ledger and queue
        if stored.state == "queued":
            self.queue.extend({held.received.handle: 0})
        else:
            self.queue.delete([held.received.handle])

    def _release(self, worker: Worker) -> None:
        """A notice: what is in hand goes back."""
        for held in worker.held:
            ended = Ended(outcome=Outcome.INTERRUPTED)
            self.world.ledger.write([attempts.end(held.row, ended, max_attempts=2, now=self.now)])
        handles = {held.received.handle: 0 for held in worker.held}
        self.queue.extend(handles)
        worker.held.clear()

    def _leave(self, worker: Worker) -> None:
        """Cancel the own request, unless the instance is to be parked, and power off."""
        ec2 = self.world.ec2
        worker.ended = True
        self._say(worker, Phase.ENDED)
        if not self.shuts_down:
            return
        request = ec2.requests.get(worker.machine.request)
        if request and request.type is SpotType.PERSISTENT and self.behavior != "stop":
            ec2.requests[request.id] = spot.cancelled(request, at=self.now)
        ec2.shut_down(worker.machine.id, behavior=self.behavior)

    def _say(self, worker: Worker, phase: Phase) -> None:
        if worker.machine.id in self.mute:
            return
        if worker.beat is None:
            worker.beat = Beat(
                job=self.job,
                instance=worker.machine.id,
                started=worker.since,
                seen=self.now,
                phase=phase,
                slots=self.slots,
            )
        beat = msgspec.structs.replace(
            worker.beat, seen=self.now, phase=phase, ready=True, running=len(worker.held)
        )
        worker.beat = self._put(beat)

    def _put(self, beat: Beat) -> Beat:
        try:
            return self.world.registry.put_beat(beat)
        except Conflict:  # the row of an earlier run of the instance, or one that was removed
            rows = {each.instance: each.version for each in self.world.registry.beats(self.job)}
            version = rows.get(beat.instance, 0)
            return self.world.registry.put_beat(msgspec.structs.replace(beat, version=version))

    def _row(self, key: str) -> Task | None:
        return self.world.ledger.get_many(self.job, [key]).get(key)

    def _is_its_own(self, held: Held) -> bool:
        row = self._row(held.row.key)
        return row is not None and row.version == held.row.version
