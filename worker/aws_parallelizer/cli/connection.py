"""Where the API and the buckets are: from the environment, or from the deployed stack."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws_parallelizer.aws import clients, cloudformation, sentences
from aws_parallelizer.aws.api import Api
from aws_parallelizer.aws.objects import Objects
from aws_parallelizer.aws.s3 import S3
from aws_parallelizer.aws.stores import stores
from aws_parallelizer.core.errors import NotFound, ParallelizerError


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What a command needs of AWS. `environment_bucket` is the stack's.

    `objects` makes the data path anew for each event loop, to which it belongs.
    """

    api: Api
    s3: S3
    objects: Callable[[], Objects]
    environment_bucket: str

    def job(self, name: str) -> Any:
        """The job's document: parameters with every default filled in, and its status."""
        return self.api.get(f"/jobs/{name}")


def api_address() -> str:
    """The API's address if the user gives it, which goes before the stack's own."""
    return os.environ.get("PARALLELIZER_API", "")


def connect(stack: str) -> Connection:
    """Find the stack's API. `PARALLELIZER_API` and the bucket's variable spare the look-up."""
    session = clients.session()
    if not session.region_name:
        raise ParallelizerError(sentences.NO_REGION)
    base = api_address()
    bucket = os.environ.get("PARALLELIZER_ENVIRONMENT_BUCKET", "")
    if not base:
        told = cloudformation.outputs(clients.client("cloudformation"), stack=stack)
        if "EndpointURL" not in told:
            raise NotFound(f"The stack {stack} has no output EndpointURL: it is not one of ours.")
        base, bucket = told["EndpointURL"], bucket or told.get("EnvironmentBucket", "")
    s3 = clients.client("s3")
    return Connection(
        api=Api(session, base=base, region=session.region_name),
        s3=S3(s3),
        objects=lambda: Objects(s3, store=stores(s3)),
        environment_bucket=bucket,
    )
