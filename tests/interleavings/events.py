"""What befalls a job: files, ticks, what people ask of it, what its queue does.

Each event is a value, so that a failing story can be written down.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from aws_parallelizer.core.job import Job, Wish
from fakes.ec2 import Fault
from fakes.queue import off_by, stale, zero
from interleavings.story import JOB, Event, Story


@dataclass(frozen=True)
class Upload:
    """Files come. `kind` "bad": the program fails on them. Not `sent`: a crash came before that."""

    count: int
    kind: str = ""
    sent: bool = True

    def befall(self, story: Story) -> None:
        if _job(story):
            story.upload(self.count, kind=self.kind, send=self.sent)


@dataclass(frozen=True)
class Wait:
    """Time passes without a tick."""

    seconds: int

    def befall(self, story: Story) -> None:
        story.wait(self.seconds)


@dataclass(frozen=True)
class Tick:
    """Reconcile runs, some seconds after the last event."""

    after: int = 60

    def befall(self, story: Story) -> None:
        story.wait(self.after)
        story.tick()


@dataclass(frozen=True)
class BrokenTick:
    """A call of a tick breaks: the so-and-so-manyeth, or the first of a name."""

    call: int | str
    fault: Fault
    after: int = 60

    def befall(self, story: Story) -> None:
        story.wait(self.after)
        story.world.faults.next(self.call, self.fault)
        story.tick()


@dataclass(frozen=True)
class CrossedTick:
    """Just before a call of a tick, something else happens: another tick, too."""

    call: int | str
    event: Event
    after: int = 60

    def befall(self, story: Story) -> None:
        story.wait(self.after)
        story.world.faults.next(self.call, lambda: self.event.befall(story))
        story.tick()


@dataclass(frozen=True)
class OtherTick:
    """A second reconcile, for a `CrossedTick`."""

    def befall(self, story: Story) -> None:
        faults = story.world.faults
        at, first = dict(faults.at), dict(faults.first)
        faults.unplan()
        story.tick()
        faults.at.update(at)
        faults.first.update(first)


@dataclass(frozen=True)
class Lost:
    """The queue loses all messages; or, if `dead`, lays one that can be seen among the dead."""

    dead: bool = False

    def befall(self, story: Story) -> None:
        queue = story.workers.queue
        if not self.dead:
            queue.empty()
        elif _job(story) and (found := queue.receive(1, wait_seconds=0)):
            story.world.dead_letters(JOB).send([found[0].body])
            queue.delete([found[0].handle])


class Noise(StrEnum):
    """How SQS's approximate counts are wrong."""

    ZERO = "zero"
    STALE = "stale"
    MORE = "three more"
    FEWER = "three fewer"


_NOISES = {Noise.ZERO: zero, Noise.STALE: stale, Noise.MORE: off_by(3), Noise.FEWER: off_by(-3)}


@dataclass(frozen=True)
class WrongCounts:
    """The next readings of the queue's counts are wrong."""

    noise: Noise
    readings: int

    def befall(self, story: Story) -> None:
        if _job(story):
            story.world.queue(JOB).noise += [_NOISES[self.noise]] * self.readings


class Order(StrEnum):
    """What a person asks of the job."""

    STOP = "stop"
    RESUME = "resume"
    PAUSE = "pause"
    DELETE = "delete"
    WISH = "wish"
    MORE = "more instances"
    FEWER = "fewer instances"


@dataclass(frozen=True)
class Ask:
    """A person changes the job."""

    what: Order

    def befall(self, story: Story) -> None:
        job = _job(story)
        if job is None or job.deleting:
            return
        match self.what:
            case Order.STOP:
                story.world.change_job(JOB, stopped=True, wishes=())
            case Order.RESUME:
                story.world.change_job(JOB, stopped=False, paused=False)
            case Order.PAUSE:
                story.world.change_job(JOB, paused=True)
            case Order.DELETE:
                story.world.change_job(JOB, deleting=True, wishes=(), enqueues=())
            case Order.WISH:
                story.witness.wished += 2
                wish = Wish(id=f"wish-{story.witness.wished}", count=2)
                story.world.change_job(JOB, stopped=False, wishes=(*job.wishes, wish))
            case Order.MORE | Order.FEWER:
                most = 6 if self.what is Order.MORE else 1
                story.witness.most = max(story.witness.most, most)
                changed = msgspec.structs.replace(job.parameters, max_instances=most)
                story.world.change_job(JOB, parameters=changed)


def _job(story: Story) -> Job | None:
    return next(iter(story.world.registry.jobs()), None)
