"""The packaged app in a bucket of the account, where CloudFormation takes it from."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.s3 import S3
from deploy import package
from deploy.commands import Say


def upload(say: Say) -> dict[str, object]:
    """Package the app and store its code; the template that names it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        package.package(Path(folder))
        code = (Path(folder) / package.CODE).read_bytes()
        template: dict[str, object] = json.loads((Path(folder) / package.TEMPLATE).read_text())
    s3 = S3(clients.client("s3"))
    bucket = bucket_name()
    key = f"{_fingerprint(code)}.zip"
    s3.make(bucket)
    s3.put(bucket, key, code)
    for function in functions(template):
        function["CodeUri"] = {"Bucket": bucket, "Key": key}
    say(f"packaged {len(code):,} bytes in {time.monotonic() - began:.1f} s: s3://{bucket}/{key}")
    return template


def bucket_name() -> str:
    """The bucket of the code, one for all stacks of the account in the region."""
    account = clients.client("sts").get_caller_identity()["Account"]
    return f"aws-parallelizer-{account}-{clients.client('s3').meta.region_name}"


def _fingerprint(code: bytes) -> str:
    """A hash of what the zip holds: its members come in the order of a folder, which is any."""
    found = hashlib.sha256()
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        for name in sorted(archive.namelist()):
            content = hashlib.sha256(archive.read(name)).hexdigest()
            found.update(f"{content} {name}\n".encode())
    return found.hexdigest()


def functions(template: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """The properties of a template's Lambda functions."""
    resources = template["Resources"]
    assert isinstance(resources, dict)  # noqa: S101 - a template is one of ours
    for resource in resources.values():
        if resource["Type"] == "AWS::Serverless::Function":
            yield resource["Properties"]
