"""A stack on fakes whose clock the test moves: jobs, queues, a ledger, and an EC2 for reconcile."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from aws_parallelizer.aws.dynamodb import Key
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.core import attempts, message, task
from aws_parallelizer.core.attempts import Start
from aws_parallelizer.core.fleet import TAG_JOB, TAG_STACK, Beat, Fleet, Phase
from aws_parallelizer.core.job import Job, settle
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import Outcome
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.core.task import Ended, Task
from chalicelib import enqueueing, reconcile, steps
from chalicelib.context import Context
from fakes.ec2 import FakeEc2
from fakes.faults import Breakable, BreakableQueues, Faults
from fakes.queue import FakeQueue
from fakes.queues import FakeQueues
from fakes.s3 import FakeS3
from fakes.sns import FakeSns
from fakes.ssm import FakeSsm
from fakes.table import FakeTable
from ownership import Guard
from stacks import settings

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK_SECONDS = 60


@dataclass
class World:
    """One stack. `tick` lets a minute pass and reconcile run.

    All that reconcile calls goes through `faults`; what a test does to the stack does not. No run
    may change anything in EC2 but what is a job's.
    """

    ec2: FakeEc2 = field(default_factory=lambda: FakeEc2(now=START))
    queues: FakeQueues = field(init=False)
    table: FakeTable = field(default_factory=FakeTable)
    ssm: FakeSsm = field(
        default_factory=lambda: FakeSsm(values={"/parallelizer/image-id": "ami-1"})
    )

    s3: FakeS3 = field(
        default_factory=lambda: FakeS3("parallelizer-environment", "parallelizer-input")
    )
    sns: FakeSns = field(default_factory=FakeSns)
    mute: set[str] = field(default_factory=set)  # instances whose workers give no sign of life

    def __post_init__(self) -> None:
        self.queues = FakeQueues(clock=lambda: self.ec2.now.timestamp())
        self.settings = settings()
        self.s3.put(self.settings.environment_bucket, "e.zip")
        self.registry = Registry(cast("Any", self.table))
        self.ledger = Ledger(cast("Any", self.table))
        self.guard = Guard(self.ec2, self.settings.stack, known=self._jobs)
        self.ec2.witness = self.guard

    def _jobs(self) -> set[str]:
        return {job.name for job in self.registry.jobs()}

    @property
    def faults(self) -> Faults:
        return self.ec2.faults

    @property
    def clients(self) -> dict[str, Any]:
        return {"ec2": self.ec2, "ssm": self.ssm, "sns": self.sns}

    @property
    def context(self) -> Context:
        table = cast("Any", Breakable(self.table, self.faults))
        return Context(
            settings=self.settings,
            registry=Registry(table),
            ledger=Ledger(table),
            s3=cast("Any", self.s3),
            queues=cast("Any", BreakableQueues(self.queues, self.faults)),
            client=lambda service, *, attempts=5: self.clients[service],
            now=lambda: self.ec2.now,
        )

    def add_job(self, name: str = "job", **parameters: Any) -> Job:
        given = Parameters(environment_zip="e.zip", analysis_program="run.sh", **parameters)
        url = f"https://sqs.us-east-1.amazonaws.com/000000000000/parallelizer_{name}"
        job = Job(
            name=name,
            parameters=settle(given, job=name, stack=self.settings.defaults),
            created=self.ec2.now,
            queue_url=url,
            dead_letter_url=f"{url}_dead",
            own_queue=True,
        )
        return self.registry.add_job(job)

    def change_job(self, name: str = "job", **changes: Any) -> Job:
        return self.registry.change_job(name, lambda job: msgspec.structs.replace(job, **changes))

    def queue(self, job: str = "job") -> FakeQueue:
        return self.queues.at(self.registry.job(job).queue_url)

    def dead_letters(self, job: str = "job") -> FakeQueue:
        return self.queues.at(self.registry.job(job).dead_letter_url)

    def enqueue(self, *keys: str, job: str = "job", send: bool = True) -> None:
        """Open tasks, with their messages unless those get lost."""
        for key in keys:
            body = Message(key=key, bucket="parallelizer-input", job=job, etag="e", size=1)
            row = task.enqueue(None, body, sequencer="", now=self.ec2.now)
            assert row
            self.ledger.write([row])
            if send:
                self.queue(job).send([message.encode(body)])

    def work(self, count: int, *, job: str = "job", seconds: float = 60) -> None:
        """A worker takes messages and is done with their tasks."""
        queue = self.queue(job)
        for _ in range(count):
            [received] = queue.receive(1, wait_seconds=0)
            body = message.decode(received.body)
            claim = attempts.claim(
                self.row(body.key, job=job),
                body,
                message_id="m",
                instance="i",
                environment="e",
                now=self.ec2.now,
            )
            assert isinstance(claim, Start)
            ended = Ended(outcome=Outcome.DONE, seconds=seconds, exit_code=0)
            done = attempts.end(claim.task, ended, max_attempts=3, now=self.ec2.now)
            assert all(self.ledger.write([done]))
            queue.delete([received.handle])

    def row(self, key: str, *, job: str = "job") -> Task:
        return self.ledger.get(job, key)

    def fleet(self, job: str = "job") -> Fleet:
        found = self.registry.fleet(job)
        assert found
        return found

    def beat(self, instance: str, *, job: str = "job", **changes: Any) -> Beat:
        """The instance's worker says how it is: it works, unless told otherwise."""
        now = self.ec2.now
        known = self.table.get(Key(f"beat#{job}", instance))
        said = Beat(job=job, instance=instance, started=now, seen=now, phase=Phase.STARTING)
        if known:
            said = msgspec.json.decode(known.text, type=Beat)
            said = msgspec.structs.replace(said, version=known.version)
        said = msgspec.structs.replace(said, phase=Phase.WORKING, ready=True, seen=now)
        return self.registry.put_beat(msgspec.structs.replace(said, **changes))

    def beats(self) -> None:
        """All workers that are not mute beat."""
        for machine in list(self.ec2.machines.values()):
            job = machine.tags.get(TAG_JOB, "")
            mine = machine.tags.get(TAG_STACK) == self.settings.stack and job
            if mine and machine.state == "running" and machine.id not in self.mute:
                self.beat(machine.id, job=job)

    def run(self) -> None:
        """Workers beat, and reconcile runs; a crash in it is the test's to catch."""
        self.beats()
        try:
            with self.faults.process():
                reconcile.run(self.context)
        finally:
            self.guard.check()
        self.carry_on()

    def carry_on(self) -> None:
        """Enqueues under way go on to their end."""
        queue = self.queues.at(self.settings.steps_queue_url)
        for step in map(steps.decode, list(queue.visible.values())):
            if isinstance(step, steps.Enqueue):
                enqueueing.carry_on(self.context, step, delivery=1)
        queue.empty()

    def tick(self, times: int = 1, *, seconds: float = TICK_SECONDS) -> None:
        for _ in range(times):
            self.ec2.pass_time(seconds)
            self.run()


def working(world: World, **parameters: object) -> None:
    """A job with a backlog for two instances, which are at work on it."""
    world.add_job(**parameters)
    world.enqueue(*[f"job/{number}" for number in range(40)])
    world.tick(2)
    assert len(world.ec2.running) == 2
