"""One story of a fleet: what befalls it, event after event, and then calm until it is over."""

from __future__ import annotations

import functools
import io
import itertools
import uuid
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol
from unittest import mock

from aws_parallelizer.aws import ledger
from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.core.errors import ParallelizerError
from aws_parallelizer.core.fleet import TAG_PROTECT
from aws_parallelizer.core.outcome import OPEN
from chalicelib import enqueueing, reconcile, triggers
from fakes.ec2 import Crash, Machine
from fleets import World
from interleavings.witness import Broken, Witness
from interleavings.workers import Workers

JOB = "job"
POOLS = (("c7i.large", "subnet-a"), ("c7i.large", "subnet-b"))
STEP_SECONDS = 30  # between two looks of the workers
TICK_SECONDS = 60
STEP_LEASE_SECONDS = 300
LONGEST = timedelta(hours=24)  # every back-off there is, one after another


class Spot(StrEnum):
    """spotType and shutdownBehavior; a one-time request's instance cannot stop."""

    ONE_TIME = "one-time terminate"
    PERSISTENT = "persistent terminate"
    STOPPING = "persistent stop"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The job that the story is about, and how quick EC2 is."""

    spot: Spot = Spot.ONE_TIME
    slots: int = 2
    most: int = 4
    drain_seconds: int = 10
    idle_seconds: int = 120
    task_seconds: int = 50
    lag_seconds: int = 0
    slow_seconds: int = 0
    max_price: float | None = None
    on_demand_after: int = 0


class Event(Protocol):
    """Something that befalls the fleet."""

    def befall(self, story: Story) -> None: ...


@dataclass
class Story:
    """The fleet of one job, its workers, and the witness."""

    setting: Setting
    world: World = field(default_factory=World)
    keys: Iterable[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        setting, ec2 = self.setting, self.world.ec2
        spot_type, behavior = setting.spot.split()
        self.world.s3.objects[self.world.settings.input_bucket] = {}
        ec2.shows_after = ec2.requests_show_after = timedelta(seconds=setting.lag_seconds)
        ec2.boots_after = ec2.stops_after = timedelta(seconds=setting.slow_seconds)
        ec2.ends_after = timedelta(seconds=setting.slow_seconds)
        self.world.add_job(
            JOB,
            spot_type=spot_type,
            shutdown_behavior=behavior,
            num_threads=setting.slots,
            max_instances=setting.most,
            drain_seconds=setting.drain_seconds,
            idle_timeout=setting.idle_seconds,
            instance_type=("c7i.large",),
            max_price=setting.max_price,
            on_demand_after=setting.on_demand_after,
        )
        self.workers = Workers(
            self.world,
            JOB,
            slots=setting.slots,
            span=timedelta(seconds=setting.task_seconds),
            idle=timedelta(seconds=setting.idle_seconds),
            behavior=behavior,
        )
        self.witness = Witness(self.world, self.workers, JOB, most=setting.most)
        ec2.witness = self.witness

    def tell(self, events: Iterable[Event]) -> None:
        """Let it happen, then be calm; raises Broken."""
        # Names and the order of calls are as deterministic as all else.
        named = mock.patch.object(uuid, "uuid4", side_effect=map(_uuid, itertools.count(1)))
        reading = mock.patch.object(ledger, "ThreadPoolExecutor", _OneByOne)
        taking_in = mock.patch.object(enqueueing, "ThreadPoolExecutor", _OneByOne)
        with named, reading, taking_in:
            for event in events:
                event.befall(self)
                self.witness.look()
            self._calm_down()
            self._see_to_the_end()

    def wait(self, seconds: float) -> None:
        """Time passes, and workers work."""
        while seconds > 0:
            self.world.ec2.pass_time(min(seconds, STEP_SECONDS))
            self.workers.step(self.witness.own())
            self.serve()
            self.witness.look()
            seconds -= STEP_SECONDS

    def tick(self) -> None:
        """Reconcile runs; it may be killed on its way."""
        self._run(lambda: reconcile.run(self.world.context))
        self.world.faults.unplan()

    def serve(self) -> None:
        """The steps that are due are carried out; one that fails comes again."""
        queue = self.world.queues.at(self.world.settings.steps_queue_url)
        for told in queue.receive(10, wait_seconds=0, lease_seconds=STEP_LEASE_SECONDS):
            record = {
                "messageId": told.message_id,
                "body": told.body,
                "receiptHandle": told.handle,
                "attributes": {"ApproximateReceiveCount": str(told.receives)},
            }
            if self._run(functools.partial(triggers.step, self.world.context, [record])):
                queue.delete([told.handle])

    def _run(self, function: Callable[[], object]) -> bool:
        """Run a function, as Lambda does; whether it came to its end."""
        try:
            # Its metrics are printed: of thousands of stories nobody would read them.
            with self.world.faults.process(), redirect_stdout(io.StringIO()):
                function()
        except (Crash, ParallelizerError, *CALL_FAILED):
            return False  # what it left behind is what the next run finds
        return True

    def running(self) -> list[Machine]:
        """The job's machines that run, the oldest first."""
        return [each for each in self.witness.own() if each.state == "running"]

    def upload(self, count: int, *, kind: str = "", send: bool = True) -> None:
        names = [f"{JOB}/{kind}{number}" for number in itertools.islice(self.keys, count)]
        for name in names:
            self.world.s3.put(self.world.settings.input_bucket, name)
        self.world.enqueue(*names, send=send)

    def normal_market(self) -> None:
        """Prices, limits and lifecycles are as usual."""
        ec2 = self.world.ec2
        ec2.market.spot_limit = None
        ec2.market.prices.clear()
        ec2.gives_on_demand = False

    def _calm_down(self) -> None:
        """Nothing goes wrong any more, and what a person held up goes on."""
        world = self.world
        world.faults.cease()
        world.ec2.capacity = 10_000
        world.ec2.market.pools.clear()
        self.normal_market()
        self._unshield()
        self.workers.mute.clear()
        self.workers.forgets_to_delete = False
        self.workers.queue.noise.clear()
        if world.registry.jobs():
            world.change_job(JOB, paused=False)

    def _unshield(self) -> None:
        self.world.ec2.protected.clear()
        for machine in self.world.ec2.machines.values():
            machine.tags.pop(TAG_PROTECT, None)

    def _see_to_the_end(self) -> None:
        end = self.world.ec2.now + LONGEST
        while left := self._left():
            if self.world.ec2.now > end:
                raise Broken(f"{LONGEST} later there is still {', '.join(left)}")
            self.wait(TICK_SECONDS)
            self.tick()
            self.witness.look()
        for _ in range(3):
            self.wait(TICK_SECONDS)
            self.tick()
            if left := self._left():
                raise Broken(f"after the end there is again {', '.join(left)}")

    def _left(self) -> list[str]:
        """What is not over: open tasks, unless a person ended the job, what costs money, and what
        people asked for.
        """
        jobs = self.world.registry.jobs()
        ended = not jobs or jobs[0].stopped or jobs[0].deleting
        open_keys = [] if ended else list(self.world.ledger.in_states(JOB, OPEN))
        asked = [each.name for each in jobs if each.deleting]
        asked += [wish.id for each in jobs for wish in each.wishes]
        return [*open_keys, *self.witness.costs(), *asked]


class _OneByOne:
    """A thread pool without threads."""

    def __init__(self, threads: int) -> None:
        self.map = map

    def __enter__(self) -> _OneByOne:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to wait for."""


def _uuid(number: int) -> uuid.UUID:
    return uuid.UUID(int=number)
