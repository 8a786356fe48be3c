"""The only place that makes boto3 clients.

Credentials, endpoints and the region come from the standard AWS settings, so that the same code
speaks to AWS and to the local cloud.
"""

from __future__ import annotations

import functools
import os
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.config
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from aws_parallelizer.aws.quick import QuickClient

# A call that AWS refused or that never arrived, for callers that may not import the SDK.
CALL_FAILED = (ClientError, BotoCoreError)

_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws")
_TIMEOUTS = {"connect_timeout": 5, "read_timeout": 60}


@functools.cache
def session() -> boto3.session.Session:
    """The process's session: one set of credentials, refreshed in one place.

    boto3 itself reads AWS_DEFAULT_REGION and the profile; AWS_REGION, which the other SDKs and
    Lambda have, goes first.
    """
    return boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None)


def client(service: str, *, region: str | None = None, attempts: int = 5) -> Any:
    """A client. `attempts` are all tries together; 1 for calls that must never be sent twice, such
    as launches.
    """
    # Presigned links are still made with the old signature by default, which most regions refuse.
    # What is stored has a checksum among its signed headers, so a signature of the body as well
    # would only cost as much again.
    signature: dict[str, Any] = (
        {"signature_version": "s3v4", "s3": {"payload_signing_enabled": False}}
        if service == "s3"
        else {}
    )
    config = botocore.config.Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=32,
        user_agent_appid="aws-parallelizer",
        **signature,
        **_TIMEOUTS,
    )
    return session().client(service, region_name=region, config=config)


def quick(client: Any, *methods: str) -> Any:
    """The client with a short way for its most frequent calls."""
    credentials = session().get_credentials()
    return QuickClient(client, methods, credentials=credentials) if credentials else client


def speaks_to_aws(client: Any) -> bool:
    """Whether the client's endpoint is AWS's own, and no emulator's."""
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    return host.endswith(_AWS_DOMAINS)
