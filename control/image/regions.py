"""The region that is worked in, whose credentials these are, and where images are published."""

from __future__ import annotations

import json
from typing import Any

from aws_parallelizer.aws import clients, identity
from aws_parallelizer.aws.sentences import NO_REGION
from image.saying import REPOSITORY, ImageFailed
from image.targets import DEFAULT_ARCHITECTURE

_RESOURCES = REPOSITORY / "control" / "resources.json"


def region(wanted: str = "") -> str:
    """The region that is asked for, or that of the AWS settings; raises ImageFailed."""
    found = wanted or clients.session().region_name
    if not found:
        raise ImageFailed(f"{NO_REGION} Or name one: REGION=us-east-1.")
    return str(found)


def account(client: Any) -> str:
    """The account whose credentials these are; raises ImageFailed and NoCredentialsError."""
    caller = identity.caller(client)
    if caller.code:
        raise ImageFailed(
            f"AWS does not take these credentials ({caller.code}: {caller.message}): renew them, "
            "or set AWS_PROFILE to others"
        )
    return caller.account


def parameter(arch: str) -> str:
    """The SSM parameter that names the last image of an architecture. That of amd64 is the one that
    stacks read by default, for their default instance types are such.
    """
    declared = json.loads(_RESOURCES.read_text())["Parameters"]["ImageParameter"]["Default"]
    return str(declared) if arch == DEFAULT_ARCHITECTURE else f"{declared}-{arch}"
