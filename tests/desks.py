"""The control plane's desk for tests: a stack on fakes, with buckets."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any, TypeVar, cast

from aws_parallelizer.core import message, parameters
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.message import Message
from chalicelib import ingest, jobs, steps
from chalicelib.context import Context
from chalicelib.ingest import Told
from fakes.queue import FakeQueue
from fakes.s3 import FakeS3
from fleets import World

BUCKET = "parallelizer-input"

S = TypeVar("S", bound=steps.Step)


class Desk:
    """One stack; `context` is what its operations are handed."""

    def __init__(self, *, page_size: int = 1000) -> None:
        self.world = World()
        self.s3 = FakeS3(BUCKET, "parallelizer-output", page_size=page_size)
        self.context: Context = dataclasses.replace(
            self.world.context, s3=cast("Any", self.s3), now=lambda: self.world.ec2.now
        )

    @property
    def steps(self) -> FakeQueue:
        return self.world.queues.at(self.context.settings.steps_queue_url)

    def take_steps(self, kind: type[S]) -> list[S]:
        """The steps of this kind that the queue holds; the queue is empty then."""
        found = [steps.decode(body) for body in self.steps.visible.values()]
        self.steps.empty()
        return [step for step in found if isinstance(step, kind)]

    def finish(self, kind: type[S], carry_on: Callable[..., object]) -> int:
        """Carry all steps of this kind out, and those that follow from them; how many."""
        count = 0
        while found := self.take_steps(kind):
            for step in found:
                carry_on(self.context, step, delivery=1)
                count += 1
        return count

    def make(self, name: str = "job", **given: Any) -> Job:
        """A job, through the front door; the nudge that it gave is taken away."""
        wanted = {"environmentZip": "e.zip", "analysisProgram": "run.sh", **given}
        job = jobs.put(self.context, name, parameters.parse_json(wanted)).job
        self.steps.empty()
        return job

    def told(self, *objects: dict[str, Any], receives: int = 1, number: str = "m1") -> Told:
        """A message of the uploads queue."""
        records = [
            {
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "bucket": {"name": BUCKET},
                    "object": {"size": 1, "eTag": "e", "sequencer": "01", **one},
                },
            }
            for one in objects
        ]
        return Told(number, json.dumps({"Records": records}), receives, f"handle of {number}")

    def upload(self, *objects: dict[str, Any], receives: int = 1) -> list[str]:
        """Have one message taken in; the ids of those that failed."""
        return ingest.ingest(self.context, [self.told(*objects, receives=receives)])

    def sent(self, job: str = "job") -> list[Message]:
        """What is in the job's queue."""
        return [message.decode(body) for body in self.world.queue(job).visible.values()]
