"""The roles by which AWS's own services act in an account."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from botocore.exceptions import ClientError

_TAKEN = ("InvalidInput", "EntityAlreadyExists")  # IAM's and emulators' words for: it is there
_FORBIDDEN = ("AccessDenied", "AccessDeniedException")


class Found(Enum):
    """What became of a service-linked role."""

    THERE = auto()
    MADE = auto()
    FORBIDDEN = auto()


def ensure(client: Any, *, role: str, service: str) -> Found:
    """Make the service-linked role where it is missing; raises what botocore raises, but tells
    whether these credentials may not do so.
    """
    try:
        client.get_role(RoleName=role)
    except ClientError as error:
        # Who may not look may still make it: making it twice is harmless.
        if _code(error) not in ("NoSuchEntity", *_FORBIDDEN):
            raise
        return _make(client, service)
    return Found.THERE


def _make(client: Any, service: str) -> Found:
    try:
        client.create_service_linked_role(AWSServiceName=service)
    except ClientError as error:
        if _code(error) in _TAKEN:
            return Found.THERE
        if _code(error) in _FORBIDDEN:
            return Found.FORBIDDEN
        raise
    return Found.MADE


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
