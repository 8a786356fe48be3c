"""The local cloud as a stranger drives it: plain boto3 and signed HTTP, by the names in
`.local/env` alone.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local import processes
from waiting import until

REPOSITORY = Path(__file__).parents[2]
START_SECONDS = 120
_PASSING = (502, 504)  # API Gateway's, for a function that did not answer in time
_TRIES = 3


class Answer(NamedTuple):
    """What the HTTP API said."""

    status: int
    body: Any


class Cloud:
    """One running local cloud."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self._clients: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / "up.log").open("wb")
        command = [sys.executable, "-m", "local", "up", "--directory", str(folder / "local")]
        command += options
        self.process = subprocess.Popen(
            processes.tethered(command, parting=signal.SIGTERM),
            env={**os.environ, "PYTHONPATH": f"{REPOSITORY}/worker:{REPOSITORY}/control"},
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    @property
    def log(self) -> str:
        """All that the local cloud has said."""
        return (self.folder / "up.log").read_text(errors="replace")

    def ready(self) -> Cloud:
        """Wait until `.local/env` is there."""
        path = self.folder / "local" / "env"
        until(
            lambda: path.exists() or self.process.poll() is not None,
            seconds=START_SECONDS,
            what=f"the local cloud writes {path}",
        )
        assert self.process.poll() is None, self.log
        self.env = dict(_exports(path.read_text()))
        return self

    def stop(self, how: int = signal.SIGTERM) -> int:
        """End it as Ctrl-C or a service manager does, if it has not ended; its exit code."""
        self.process.send_signal(how)
        code = self.process.wait(60)
        self._log.close()
        return code

    def client(self, service: str) -> Any:
        """A plain boto3 client, its endpoint from the environment's names."""
        if service not in self._clients:
            name = "AWS_ENDPOINT_URL_EC2" if service == "ec2" else "AWS_ENDPOINT_URL"
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.env[name],
                region_name=self.env["AWS_REGION"],
                aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        signed: bool = True,
    ) -> Answer:
        """One HTTP call of the API; `body` is JSON unless it is text."""
        data = body if isinstance(body, str) else json.dumps(body)
        kind = "text/plain" if isinstance(body, str) else "application/json"
        request = AWSRequest(
            method=method,
            url=self.env["PARALLELIZER_API"] + path,
            data=None if body is None else data.encode(),
            headers={"Content-Type": kind, **(headers or {})},
        )
        if signed:
            keys = (self.env["AWS_ACCESS_KEY_ID"], self.env["AWS_SECRET_ACCESS_KEY"])
            SigV4Auth(Credentials(*keys), "execute-api", self.env["AWS_REGION"]).add_auth(request)
        return _send(request)

    def read(self, path: str) -> Any:
        """What GET answers; asked again where a busy machine let a function's time run out."""
        for _ in range(_TRIES):
            answer = self.call("GET", path)
            if answer.status not in _PASSING:
                break
        assert answer.status == 200, answer
        return answer.body

    def job(self, name: str) -> dict[str, Any]:
        """The job as GET answers it."""
        return dict(self.read(f"/jobs/{name}"))

    def counts(self, name: str) -> dict[str, int]:
        """How many tasks are in each state."""
        return dict(self.job(name)["status"]["counts"])

    def tasks(self, name: str, query: str = "") -> list[dict[str, Any]]:
        """All tasks, page by page."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            page = self.read(f"/jobs/{name}/tasks?next={token}{query}")
            found.extend(page["tasks"])
            token = page.get("next") or ""
            if not token:
                return found

    def create(self, name: str, files: Mapping[str, str], **parameters: object) -> None:
        """Upload an environment of `files` and make a job of it that runs `run.sh`."""
        key = f"{name}.zip"
        self.client("s3").put_object(
            Bucket=self.env["PARALLELIZER_ENVIRONMENT_BUCKET"], Key=key, Body=zipped(files)
        )
        wanted = {"environmentZip": key, "analysisProgram": "run.sh", **parameters}
        answer = self.call("PUT", f"/jobs/{name}", wanted)
        assert answer.status in (200, 201), answer

    def put(self, name: str, files: Mapping[str, bytes]) -> None:
        """Drop files in the input bucket, under the job's prefix."""
        s3 = self.client("s3")
        for key, body in files.items():
            s3.put_object(
                Bucket=self.env["PARALLELIZER_INPUT_BUCKET"], Key=f"{name}/{key}", Body=body
            )

    def outputs(self, name: str) -> dict[str, bytes]:
        """Every output of the job, by its key below the job's prefix."""
        s3, bucket = self.client("s3"), self.env["PARALLELIZER_OUTPUT_BUCKET"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{name}/")
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {
            key.removeprefix(f"{name}/"): s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in keys
        }

    def instances(self, name: str) -> list[dict[str, Any]]:
        """The job's instances that are not terminated, replacements of its spot requests too."""
        ec2 = self.client("ec2")
        mine = {request["SpotInstanceRequestId"] for request in self.requests(name)}
        return [
            instance
            for page in ec2.get_paginator("describe_instances").paginate()
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
            if instance["State"]["Name"] not in ("terminated", "shutting-down")
            and (_tag(instance) == name or instance.get("SpotInstanceRequestId") in mine)
        ]

    def requests(self, name: str) -> list[dict[str, Any]]:
        """The job's spot requests in any state."""
        answer = self.client("ec2").describe_spot_instance_requests(
            Filters=[{"Name": "tag:parallelizer:job", "Values": [name]}]
        )
        return list(answer["SpotInstanceRequests"])

    def wait_until_ended(self, name: str, total: int, *, seconds: float) -> dict[str, int]:
        """Wait until `total` tasks are done, failed or skipped; the counts then."""

        def ended() -> dict[str, int] | None:
            counts = self.counts(name)
            over = counts["done"] + counts["failed"] + counts["skipped"]
            return counts if over >= total else None

        try:
            found = until(ended, seconds=seconds, what=f"{total} tasks of {name} end", every=0.5)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.job(name)['status']}") from error
        assert found
        return found

    def workers_lines(self) -> list[dict[str, Any]]:
        """What workers have sent to the stack's log group."""
        logs = self.client("logs")
        [group] = logs.describe_log_groups(logGroupNamePrefix="/parallelizer/")["logGroups"]
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        return [json.loads(event["message"]) for page in pages for event in page["events"]]

    def wait_until_gone(self, name: str, *, seconds: float = 90) -> None:
        """Wait until nothing of the job's fleet is left that costs money."""
        until(lambda: not self.instances(name), seconds=seconds, what=f"no instance of {name}")
        live = [r for r in self.requests(name) if r["State"] in ("open", "active", "disabled")]
        assert live == []

    def pid(self, instance: str) -> int:
        """The pid of an instance's worker."""
        path = self.folder / "local" / "instances" / instance / "pid"
        return int(until(lambda: path.exists() and path.read_text().strip(), seconds=30))


def zipped(files: Mapping[str, str]) -> bytes:
    """A zip of executable text files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | 0o755) << 16
            archive.writestr(entry, text)
    return buffer.getvalue()


def _tag(instance: Mapping[str, Any]) -> str:
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    return tags.get("parallelizer:job", "")


def _exports(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.startswith("export "):
            name, _, value = shlex.split(line)[1].partition("=")
            yield name, value


def _send(request: AWSRequest) -> Answer:
    prepared = request.prepare()
    plain = urllib.request.Request(
        prepared.url, data=prepared.body, method=prepared.method, headers=dict(prepared.headers)
    )
    try:
        with urllib.request.urlopen(plain, timeout=60) as answer:
            return Answer(answer.status, _decoded(answer.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _decoded(error.read()))


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")
