"""What befalls the instances of a job: the market, reclaims, people in the console, bad workers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aws_parallelizer.core.errors import Conflict
from aws_parallelizer.core.fleet import TAG_JOB, TAG_PROTECT, TAG_STACK, Mark
from fakes.ec2 import Machine
from interleavings.story import JOB, POOLS, Story
from local.spot import Cause, SpotType


@dataclass(frozen=True)
class Reclaim:
    """EC2 takes an instance back, with notice or without; if `told`, EventBridge tells of it."""

    which: int
    notice: bool = True
    told: bool = True

    def befall(self, story: Story) -> None:
        if machine := _one(story, self.which):
            story.witness.replaced += self.notice and _is_persistent(story, machine)
            story.world.ec2.interrupt(machine.id, notice=self.notice)
            if self.notice and self.told:
                _mark(story, machine)


@dataclass(frozen=True)
class Vanish:
    """An instance is gone, and nobody says why."""

    which: int

    def befall(self, story: Story) -> None:
        if machine := _one(story, self.which):
            story.world.ec2.end(machine.id, cause=Cause.LOST)


class Hand(StrEnum):
    """What a person does in the EC2 console."""

    TERMINATE = "terminate"
    STOP = "stop"
    LAUNCH = "launch"
    LAUNCH_SIMILAR = "launch with similar tags"


@dataclass(frozen=True)
class ByHand:
    """A person acts in the console."""

    what: Hand
    which: int = 0

    def befall(self, story: Story) -> None:
        ec2, stack = story.world.ec2, story.world.settings.stack
        machine = _one(story, self.which)
        match self.what:
            case Hand.TERMINATE if machine:
                ec2.end(machine.id, cause=Cause.BY_USER)
            case Hand.STOP if machine and _is_persistent(story, machine):
                ec2.stop(machine.id)
            case Hand.LAUNCH if _is_kept(story):
                story.witness.by_hand.add(ec2.stranger(**{TAG_STACK: stack, TAG_JOB: JOB}))
            case Hand.LAUNCH_SIMILAR:
                ec2.stranger(**{TAG_STACK: stack, TAG_JOB: "job2"})
                ec2.stranger(**{TAG_STACK: f"{stack}2", TAG_JOB: JOB})


@dataclass(frozen=True)
class Capacity:
    """So many machines EC2 has to spare, in all or in one pool."""

    spare: int
    pool: str = ""

    def befall(self, story: Story) -> None:
        market = story.world.ec2.market
        if self.pool:
            market.pools["c7i.large", self.pool] = self.spare
        else:
            market.spare = self.spare


class Market(StrEnum):
    """How EC2's market and the account's limits change."""

    LIMITED = "one spot instance at most"
    DEAR = "ten times the price"
    ON_DEMAND_GIVEN = "on-demand instances are given for spot"
    NORMAL = "as usual"


@dataclass(frozen=True)
class Changed:
    """The market changes."""

    market: Market

    def befall(self, story: Story) -> None:
        ec2 = story.world.ec2
        story.normal_market()
        match self.market:
            case Market.LIMITED:
                ec2.market.spot_limit = 1
            case Market.DEAR:
                ec2.market.prices = dict.fromkeys(POOLS, 0.3)
            case Market.ON_DEMAND_GIVEN:
                ec2.gives_on_demand = True


class Shield(StrEnum):
    """What keeps an instance from ending."""

    TAG = "our tag"
    EC2 = "EC2's termination protection"
    SLOW = "it takes an hour to shut down"


@dataclass(frozen=True)
class Shielded:
    """An instance is kept from ending."""

    by: Shield
    which: int = 0

    def befall(self, story: Story) -> None:
        ec2 = story.world.ec2
        machine = _one(story, self.which)
        if machine is None:
            return
        match self.by:
            case Shield.TAG:
                machine.tags[TAG_PROTECT] = "yes"
            case Shield.EC2:
                ec2.protected.add(machine.id)
            case Shield.SLOW:
                ec2.lingering.add(machine.id)


class Trouble(StrEnum):
    """What may be wrong with a worker."""

    MUTE = "works on without a sign of life"
    HUNG = "does nothing any more"
    DEAD = "never starts"
    FORGETFUL = "is lost between ledger and queue"


@dataclass(frozen=True)
class BadWorker:
    """A worker is not as it should be."""

    trouble: Trouble
    which: int = 0

    def befall(self, story: Story) -> None:
        machine = _one(story, self.which)
        if machine is None:
            return
        workers = story.workers
        match self.trouble:
            case Trouble.MUTE:
                workers.mute.add(machine.id)
            case Trouble.HUNG:
                workers.hung.add(machine.id)
            case Trouble.DEAD:
                workers.dead.add(machine.id)
            case Trouble.FORGETFUL:
                workers.forgets_to_delete = True
                story.wait(60)
                workers.forgets_to_delete = False
                story.world.ec2.end(machine.id, cause=Cause.LOST)


def _one(story: Story, which: int) -> Machine | None:
    running = story.running()
    return running[which % len(running)] if running else None


def _is_kept(story: Story) -> bool:
    """Whether the job is there to stay: nobody looks for the machines of one that is gone."""
    return any(not job.deleting for job in story.world.registry.jobs())


def _is_persistent(story: Story, machine: Machine) -> bool:
    request = story.world.ec2.requests.get(machine.request)
    return request is not None and request.type is SpotType.PERSISTENT


def _mark(story: Story, machine: Machine) -> None:
    """As `on_spot_event` does."""
    try:
        mark = Mark(instance=machine.id, action="terminate", at=story.world.ec2.now)
        story.world.registry.put_mark(mark)
    except Conflict:
        return  # the same warning twice
