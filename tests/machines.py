"""A machine for tests: a job's buckets, queue and ledger on ministack, and real worker processes
beside them.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import emulator
from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.core import message, task, user_data
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.parameters import Parameters, parse_pairs
from aws_parallelizer.core.task import Task
from aws_parallelizer.core.user_data import UserData
from fakes.metadata import Metadata
from fakes.spot_api import SpotApi
from local import disks
from waiting import until

WORKER = Path(__file__).parent.parent / "worker"


def zipped(files: Mapping[str, str]) -> bytes:
    """A zip of text files, as a tool without Unix modes makes it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


class Site:
    """What a job has in AWS: buckets, queue, ledger, and one environment."""

    def __init__(self, endpoint: str, *, files: Mapping[str, str], **parameters: object) -> None:
        self.endpoint = endpoint
        self.name = f"job-{uuid.uuid4().hex[:8]}"
        self.s3 = emulator.client("s3", endpoint)
        self.sqs = emulator.client("sqs", endpoint)
        dynamodb = emulator.client("dynamodb", endpoint)
        for bucket in ("in", "out", "env"):
            self.s3.create_bucket(Bucket=f"{self.name}-{bucket}")
        self.queue_url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        emulator.make_table(dynamodb, self.name)
        self.ledger = Ledger(Table(dynamodb, name=self.name))
        self.registry = Registry(Table(dynamodb, name=self.name))
        wanted = Parameters(environment_zip="env.zip", analysis_program="run.sh")
        self.registry.add_job(Job(name=self.name, parameters=wanted, created=datetime.now(UTC)))
        self.s3.put_object(Bucket=f"{self.name}-env", Key="env.zip", Body=zipped(files))
        self.given: dict[str, object] = {
            "inputBucket": f"{self.name}-in",
            "outputBucket": f"{self.name}-out",
            "environmentBucket": f"{self.name}-env",
            "inputPrefix": "data/",
            "outputPrefix": "results/",
            "queueURL": self.queue_url,
            "environmentZip": "env.zip",
            "analysisProgram": "run.sh",
            "numThreads": 2,
            "idleTimeout": 1,
            "visibilityTimeout": 30,
            **parameters,
        }

    def user_data(self, *, ledger: bool = True) -> bytes:
        """What an instance of the job is told."""
        pairs = [(name, str(value)) for name, value in self.given.items()]
        parameters = parse_pairs(pairs, []).parameters
        table = self.name if ledger else ""
        return user_data.encode(
            UserData(parameters, job=self.name if ledger else "", ledger_table=table)
        ).encode()

    def put(
        self, key: str, body: bytes = b"hello\n", *, again: int = 1, etag: str | None = None
    ) -> None:
        """Store an input, enter it in the ledger with its ETag or another one, send its message
        `again` times.
        """
        bucket = f"{self.name}-in"
        its = self.s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"].strip('"')
        etag = its if etag is None else etag
        sent = Message(job=self.name, bucket=bucket, key=key, etag=etag, size=len(body))
        row = task.enqueue(None, sent, sequencer="", now=datetime.now(UTC))
        assert row is not None
        self.ledger.write([row])
        for _ in range(again):
            self.send(message.encode(sent))

    def send(self, body: str) -> None:
        """One message."""
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=body)

    def row(self, key: str) -> Task:
        """The task's row."""
        return self.ledger.get(self.name, key)

    def output(self, key: str) -> bytes:
        """An output's bytes."""
        body: bytes = self.s3.get_object(Bucket=f"{self.name}-out", Key=key)["Body"].read()
        return body

    def outputs(self) -> list[str]:
        """All keys of the output bucket."""
        listed = self.s3.list_objects_v2(Bucket=f"{self.name}-out").get("Contents", [])
        return [entry["Key"] for entry in listed]

    def visible(self) -> int:
        """The messages that could be received now."""
        names = ["ApproximateNumberOfMessages"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def messages(self) -> int:
        """All messages in the queue, whatever their state."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)
        return sum(int(number) for number in answer["Attributes"].values())


class Machine:
    """One instance with a worker process on it."""

    def __init__(
        self,
        site: Site,
        folder: Path,
        *,
        told: bytes | None = None,
        spot: SpotApi | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        disks.make(folder / "scratch")
        self.folder = folder
        self.instance = f"i-{uuid.uuid4().hex[:17]}"
        self.metadata = Metadata(
            {
                "user-data": site.user_data() if told is None else told,
                "meta-data/instance-id": self.instance.encode(),
                "meta-data/placement/region": b"us-east-1",
            }
        )
        self.spot = spot or SpotApi(self.instance)
        self.environment = {
            "PATH": os.environ["PATH"],
            **emulator.CREDENTIALS,
            "PYTHONPATH": str(WORKER),
            "AWS_ENDPOINT_URL": site.endpoint,
            "AWS_ENDPOINT_URL_EC2": self.spot.url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.metadata.url,
            "PARALLELIZER_SCRATCH": str(folder / "scratch"),
            "PARALLELIZER_POWEROFF": f"touch {folder / 'off'}",
            "PARALLELIZER_NOTICE_SECONDS": "0.2",
            **(settings or {}),
        }
        command = "import sys; from aws_parallelizer.worker import main; sys.exit(main.run())"
        with (folder / "console").open("wb") as console:
            self.process: subprocess.Popen[Any] = subprocess.Popen(
                [sys.executable, "-c", command],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )

    @property
    def console(self) -> str:
        """What the worker wrote."""
        return (self.folder / "console").read_text()

    @property
    def is_off(self) -> bool:
        """Whether the worker powered the machine off."""
        return (self.folder / "off").exists()

    @property
    def left(self) -> list[Path]:
        """The scratch directories that were left behind."""
        return list((self.folder / "scratch" / "tasks").iterdir())

    def wait(self, seconds: float = 90) -> int:
        """The worker's exit code, once it has ended."""
        until(lambda: self.process.poll() is not None, seconds=seconds, what="the worker ends")
        return int(self.process.returncode)

    def close(self) -> None:
        """End everything of this machine."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.metadata.close()
        self.spot.close()
        disks.wipe(self.folder / "scratch")
