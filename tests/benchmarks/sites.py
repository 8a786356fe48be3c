"""The work: inputs in a bucket, a queue of messages, a ledger, and the program for each file."""

from __future__ import annotations

import io
import os
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import emulator
from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.aws.sqs import BATCH, Queue
from aws_parallelizer.core import message, task, user_data
from aws_parallelizer.core.job import Job as JobRow
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.parameters import Parameters, parse_pairs
from aws_parallelizer.core.user_data import UserData
from benchmarks.servers import LARGEST_IN_FAUXQS, Fauxqs, Ministack, Roto
from machines import zipped

PREFIX = "data/"
MIB = 1024 * 1024
_SPARE = b"-" * 1024  # what the window's opening waits for, where the files themselves are few


class Work(NamedTuple):
    """What is done to each file. `script` makes at most one output, which it names."""

    title: str
    script: str
    size: int
    makes_output: bool

    @property
    def is_large(self) -> bool:
        """Whether only some servers have room for such files."""
        return self.size > LARGEST_IN_FAUXQS


COPY = Work(
    "1 KiB files, cp", '#!/bin/sh\ncp "$1" "$1.out" && echo "$1.out"\n', 1024, makes_output=True
)
NOTHING = Work("1 KiB files, no-op program", "#!/bin/true\n", 1024, makes_output=False)
_MOVE = '#!/bin/sh\nmv "$1" "$1.out" && echo "$1.out"\n'
LARGE = Work("64 MiB files, mv", _MOVE, 64 * MIB, makes_output=True)
HUGE = Work("1 GiB files, mv", _MOVE, 1024 * MIB, makes_output=True)
# What LARGE costs more than this is the way up.
DOWN = Work(
    "64 MiB files, 1-byte output",
    '#!/bin/sh\nprintf . >"$1.out" && echo "$1.out"\n',
    64 * MIB,
    makes_output=True,
)


class Inputs:
    """A bucket of equal files on one server, for everybody; the first `spare` of them are small."""

    def __init__(self, server: Fauxqs | Roto, work: Work, *, files: int, spare: int) -> None:
        self.server = server
        self.bucket = f"in-{uuid.uuid4().hex[:8]}"
        self._s3 = emulator.client("s3", server.url)
        self._s3.create_bucket(Bucket=self.bucket)
        body = os.urandom(work.size)
        self.sizes = [len(_SPARE)] * spare + [work.size] * files
        self.keys = [f"{PREFIX}{number:05}" for number in range(len(self.sizes))]
        for key, size in zip(self.keys, self.sizes, strict=True):
            content = body if size == work.size else _SPARE
            if work.is_large:  # in parts, where they are many
                self._s3.upload_fileobj(io.BytesIO(content), self.bucket, key)
            else:
                self._s3.put_object(Bucket=self.bucket, Key=key, Body=content)


class Site:
    """What one contender works on: its own queue, output bucket, ledger and folder."""

    def __init__(
        self,
        inputs: Inputs,
        work: Work,
        *,
        files: int,
        slots: int,
        folder: Path,
        ledger: Ministack | None,
    ) -> None:
        self.inputs, self.work, self.slots = inputs, work, slots
        self.name = f"bench-{uuid.uuid4().hex[:8]}"
        self.keys, self.sizes = inputs.keys[:files], inputs.sizes[:files]
        self.ledger_server = ledger
        self.folder = folder / self.name
        (self.folder / "work").mkdir(parents=True)
        self.program = self.folder / "run.sh"
        self.program.write_text(work.script)
        self.program.chmod(0o755)
        self.endpoint = inputs.server.url
        self.s3 = emulator.client("s3", self.endpoint)
        self.sqs = emulator.client("sqs", self.endpoint)
        self.out = f"{self.name}-out"
        self.s3.create_bucket(Bucket=self.out)
        self.queue_url: str = self.sqs.create_queue(
            QueueName=self.name, Attributes={"VisibilityTimeout": "600"}
        )["QueueUrl"]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that every contender is started with."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            **emulator.CREDENTIALS,
            "AWS_REGION": emulator.REGION,
            "AWS_DEFAULT_REGION": emulator.REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "BENCH_QUEUE": self.name,
            "BENCH_QUEUE_URL": self.queue_url,
            "BENCH_IN": self.inputs.bucket,
            "BENCH_OUT": self.out,
            "BENCH_PROGRAM": str(self.program),
            "BENCH_FOLDER": str(self.folder / "work"),
            "BENCH_SLOTS": str(self.slots),
        }

    def send(self, bodies: Sequence[str]) -> None:
        """Fill the queue."""
        queue = Queue(self.sqs, url=self.queue_url)
        for start in range(0, len(bodies), BATCH):
            assert all(queue.send(bodies[start : start + BATCH]))

    def outputs(self) -> int:
        """How many outputs there are."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.out)
        return sum(len(page.get("Contents", ())) for page in pages)

    def clear(self) -> None:
        """Give the server's memory back."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.out)
        for page in pages:
            for entry in page.get("Contents", ()):
                self.s3.delete_object(Bucket=self.out, Key=entry["Key"])


class Job:
    """A site as a job of ours: an environment, rows in the ledger, user data."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ledger: Ledger | None = None
        if site.ledger_server:
            client = emulator.client("dynamodb", site.ledger_server.url)
            emulator.make_table(client, site.name)
            table = Table(client, name=site.name)
            wanted = Parameters(environment_zip=self._zip, analysis_program="run.sh")
            job = JobRow(name=site.name, parameters=wanted, created=datetime.now(UTC))
            Registry(table).add_job(job)
            self._ledger = Ledger(table)
        zip_of_program = zipped({"run.sh": site.work.script})
        site.s3.put_object(Bucket=site.inputs.bucket, Key=self._zip, Body=zip_of_program)

    @property
    def _zip(self) -> str:
        return f"{self._site.name}.zip"

    def enqueue(self) -> None:
        """A row and a message for each file, as the control plane makes them."""
        bodies = []
        for key, size in zip(self._site.keys, self._site.sizes, strict=True):
            bucket = self._site.inputs.bucket
            sent = Message(job=self._site.name, bucket=bucket, key=key, etag="", size=size)
            bodies.append(message.encode(sent))
            row = task.enqueue(None, sent, sequencer="", now=datetime.now(UTC))
            assert row
            if self._ledger:
                self._ledger.write([row])
        self._site.send(bodies)

    def writes_per_file(self) -> float:
        """Of its rows, after the one that the control plane made."""
        if not self._ledger:
            return 0
        rows = self._ledger.get_many(self._site.name, self._site.keys[-100:])
        return sum(row.version - 1 for row in rows.values()) / len(rows)

    def user_data(self) -> bytes:
        """What an instance of the job is told."""
        site = self._site
        told = {
            "inputBucket": site.inputs.bucket,
            "outputBucket": site.out,
            "environmentBucket": site.inputs.bucket,
            "inputPrefix": PREFIX,
            "outputPrefix": "results/",
            "queueURL": site.queue_url,
            "environmentZip": self._zip,
            "analysisProgram": "run.sh",
            "numThreads": site.slots,
            "idleTimeout": 60,
            "visibilityTimeout": 600,
        }
        parameters = parse_pairs(
            [(name, str(value)) for name, value in told.items()], []
        ).parameters
        job = site.name if self._ledger else ""
        return user_data.encode(UserData(parameters, job=job, ledger_table=job)).encode()
