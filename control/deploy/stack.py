"""Deploys the stack: package, upload, propose a change set, carry it out, wait."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from aws_parallelizer.aws import clients, cloudformation
from aws_parallelizer.aws.cloudformation import ChangeSet, Stacks
from aws_parallelizer.aws.s3 import S3
from aws_parallelizer.core.errors import ParallelizerError
from deploy import package

Say = Callable[[str], None]

# A job's dead-letter queue is `<stack>-<job>-dead`: SQS takes 80 characters, a job's name has 40.
_STACK_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,33}")
_POLL_SECONDS = 2.0
_FIRST_POLL_SECONDS = 0.2
_NO_CHANGES = re.compile("didn't contain changes|No updates are to be performed")


class DeployFailed(ParallelizerError):
    """The stack is not as it should be; the text says why."""


def deploy(
    stack: str, *, parameters: Mapping[str, str] | None = None, say: Say = print
) -> dict[str, str]:
    """Create or update the stack; its outputs. Parameters that are not given stay as they are."""
    if not _STACK_NAME.fullmatch(stack):
        raise DeployFailed(f"stack {stack!r}: 1 to 34 letters, digits and -, a letter first")
    given = dict(parameters or {})
    template = _upload(say)
    if unknown := set(given) - set(_declared(template)):
        raise DeployFailed(f"not parameters of the stack: {', '.join(sorted(unknown))}")
    stacks = Stacks(clients.client("cloudformation"))
    status = _settled(stacks, stack, say)
    change = ChangeSet(stack, f"deploy-{time.time_ns()}")
    create = status in ("", "REVIEW_IN_PROGRESS")
    kept = set() if create else _kept(stacks, stack, template, given)
    stacks.propose(
        change, template=json.dumps(template), create=create, parameters=given, kept=kept
    )
    if _worthwhile(stacks, change):
        _carry_out(stacks, change, say)
    else:
        say(f"stack {stack}: no changes")
    return cloudformation.outputs(clients.client("cloudformation"), stack=stack)


def _upload(say: Say) -> dict[str, object]:
    """Package the app and store its code; the template that names it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        package.package(Path(folder))
        code = (Path(folder) / package.CODE).read_bytes()
        template: dict[str, object] = json.loads((Path(folder) / package.TEMPLATE).read_text())
    s3 = S3(clients.client("s3"))
    bucket = _artifacts_bucket()
    key = f"{_fingerprint(code)}.zip"
    s3.make(bucket)
    s3.put(bucket, key, code)
    for function in functions(template):
        function["CodeUri"] = {"Bucket": bucket, "Key": key}
    say(f"packaged {len(code):,} bytes in {time.monotonic() - began:.1f} s: s3://{bucket}/{key}")
    return template


def _fingerprint(code: bytes) -> str:
    """A hash of what the zip holds: its members come in the order of a folder, which is any."""
    found = hashlib.sha256()
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        for name in sorted(archive.namelist()):
            content = hashlib.sha256(archive.read(name)).hexdigest()
            found.update(f"{content} {name}\n".encode())
    return found.hexdigest()


def _declared(template: Mapping[str, object]) -> dict[str, object]:
    parameters = template["Parameters"]
    assert isinstance(parameters, dict)  # noqa: S101 - a template is one of ours
    return parameters


def functions(template: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """The properties of a template's Lambda functions."""
    resources = template["Resources"]
    assert isinstance(resources, dict)  # noqa: S101 - as above
    for resource in resources.values():
        if resource["Type"] == "AWS::Serverless::Function":
            yield resource["Properties"]


def _artifacts_bucket() -> str:
    account = clients.client("sts").get_caller_identity()["Account"]
    return f"aws-parallelizer-{account}-{clients.client('s3').meta.region_name}"


def _settled(stacks: Stacks, stack: str, say: Say) -> str:
    """The stack's status once nothing is under way. What a failed creation left is removed."""
    status = _wait(stacks, stack)
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
        say(f"stack {stack} is {status}: deleting what is left of it")
        stacks.delete(stack)
        status = _wait(stacks, stack)
    return "" if status == "DELETE_COMPLETE" else status


def _kept(
    stacks: Stacks, stack: str, template: Mapping[str, object], given: Mapping[str, str]
) -> set[str]:
    return set(stacks.parameters(stack)) & set(_declared(template)) - set(given)


def _worthwhile(stacks: Stacks, change: ChangeSet) -> bool:
    """Whether the change set, once it is worked out, changes anything."""
    for pause in _pauses():
        status, reason = stacks.proposal(change)
        if status == "CREATE_COMPLETE":
            return True
        if status == "FAILED":
            stacks.discard(change)
            if _NO_CHANGES.search(reason):
                return False
            raise DeployFailed(f"stack {change.stack}: {reason}")
        time.sleep(pause)
    raise AssertionError  # the pauses have no end


def _carry_out(stacks: Stacks, change: ChangeSet, say: Say) -> None:
    seen = {event.id for event in stacks.events(change.stack)}
    failure = ""
    stacks.execute(change)
    for pause in _pauses():
        status = stacks.status(change.stack)
        for event in stacks.events(change.stack):
            if event.id in seen:
                continue
            seen.add(event.id)
            if not event.status.endswith("_IN_PROGRESS"):
                say(f"  {event.resource} {event.status}")
            if event.status.endswith("_FAILED") and not failure:
                failure = f"{event.resource}: {event.reason}"  # the first one caused the others
        if not status.endswith("_IN_PROGRESS"):
            break
        time.sleep(pause)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeployFailed(f"stack {change.stack} is {status}: {failure or 'no reason is given'}")
    say(f"stack {change.stack}: {status}")


def _wait(stacks: Stacks, stack: str) -> str:
    for pause in _pauses():
        status = stacks.status(stack)
        if not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS":
            return status
        time.sleep(pause)
    raise AssertionError  # the pauses have no end


def _pauses() -> Iterator[float]:
    pause = _FIRST_POLL_SECONDS
    while True:
        yield pause
        pause = min(_POLL_SECONDS, pause * 1.5)
