"""What befalls workers and their files. Each event is a value, so that a failing story can be
written down.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fakes.faults import Fault
from lives.story import Story
from lives.wires import Mishap

HOUR = 3600.0


class Kind(StrEnum):
    """How the program is with a file."""

    COPY = "copy"
    PAIR = "pair"
    SLOW = "slow"
    FLAKY = "flaky"
    BAD = "bad"


@dataclass(frozen=True)
class Upload:
    """A file comes; if it was there, it is a newer one, of the `same` bytes or of others. S3 tells
    of it `late`, `times` times.
    """

    kind: Kind = Kind.COPY
    number: int = 0
    late: float = 0
    times: int = 1
    same: bool = False

    async def befall(self, story: Story) -> None:
        key = f"data/{self.kind}-{self.number}"
        story.upload(key, late=self.late, times=self.times, same=self.same)


@dataclass(frozen=True)
class Delete:
    """A file goes."""

    kind: Kind = Kind.COPY
    number: int = 0

    async def befall(self, story: Story) -> None:
        story.objects.kept.pop(("in", f"data/{self.kind}-{self.number}"), None)


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: float

    async def befall(self, story: Story) -> None:
        await story.wait(self.seconds)


@dataclass(frozen=True)
class Break:
    """The so-and-so-manyeth call from now breaks."""

    call: int
    fault: Fault

    async def befall(self, story: Story) -> None:
        story.line.plan[len(story.line.log) + self.call] = Mishap(self.fault)


@dataclass(frozen=True)
class Delay:
    """The so-and-so-manyeth call from now takes long on its way, there or back."""

    call: int
    there: float = 0
    back: float = 0

    async def befall(self, story: Story) -> None:
        story.line.plan[len(story.line.log) + self.call] = Mishap(None, self.there, self.back)


@dataclass(frozen=True)
class Storm:
    """A service refuses every call for some time."""

    service: str
    seconds: float

    async def befall(self, story: Story) -> None:
        story.line.storms[self.service] = story.loop.time() + self.seconds


@dataclass(frozen=True)
class RunOut:
    """All leases run out, as if nobody had renewed them, or SQS gave everything out twice."""

    async def befall(self, story: Story) -> None:
        story.queue.put_back()


class Fate(StrEnum):
    """What may become of a worker."""

    KILLED = "killed"
    FROZEN = "frozen for two minutes"
    HALTED = "asked to end at once"
    DRAINED = "asked to take no more"
    HELD = "told to start no task"
    RESUMED = "told to go on"
    ANOTHER = "another one starts"


@dataclass(frozen=True)
class Meet:
    """A worker meets its fate."""

    fate: Fate
    which: int = 0

    async def befall(self, story: Story) -> None:
        worker = story.one(self.which)
        if self.fate is Fate.ANOTHER:
            story.start()
        elif worker:
            match self.fate:
                case Fate.KILLED:
                    worker.wire.is_alive = False
                case Fate.FROZEN:
                    worker.wire.frozen_until = story.loop.time() + 120
                case Fate.HALTED:
                    worker.stop.halt("the test asked for it")
                case Fate.DRAINED:
                    worker.stop.drain("the test asked for it")
                case Fate.HELD:
                    worker.stop.hold("the test asked for it")
                case Fate.RESUMED:
                    worker.stop.resume()
