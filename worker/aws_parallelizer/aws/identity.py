"""Who calls, and what IAM has: only looked at, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import msgspec
from botocore.exceptions import ClientError

from aws_parallelizer.core.errors import NotFound

SPOT_ROLE = "AWSServiceRoleForEC2Spot"


class Caller(NamedTuple):
    """Whose credentials these are, or AWS's `code` and `message` of why it takes them not.

    `date` is AWS's clock, to the second; None where it did not tell.
    """

    arn: str = ""
    account: str = ""
    code: str = ""
    message: str = ""
    date: datetime | None = None


class Denial(NamedTuple):
    """Why a call was not allowed: the action and the resource that no policy allows, or that one
    denies (`explicit`).
    """

    action: str
    resource: str
    explicit: bool


def caller(sts: Any) -> Caller:
    """Ask AWS who this is; raises BotoCoreError where it could not be asked."""
    try:
        answer = sts.get_caller_identity()
    except ClientError as error:
        told = error.response["Error"]
        return Caller(
            code=str(told["Code"]), message=str(told.get("Message", "")), date=_date(error.response)
        )
    return Caller(arn=answer["Arn"], account=answer["Account"], date=_date(answer))


def denial(sts: Any, *, message: str) -> Denial | None:
    """What an UnauthorizedOperation's encoded message says; None where there is none.

    Raises ClientError for who may not decode it.
    """
    _, marker, encoded = message.partition("Encoded authorization failure message: ")
    if not marker:
        return None
    answer = sts.decode_authorization_message(EncodedMessage=encoded.strip())
    told: Mapping[str, Any] = msgspec.json.decode(answer["DecodedMessage"])
    context = told.get("context", {})
    return Denial(
        action=context.get("action", ""),
        resource=context.get("resource", ""),
        explicit=bool(told.get("explicitDeny")),
    )


def profile_roles(iam: Any, *, name: str) -> list[str]:
    """The roles of an instance profile; raises NotFound."""
    try:
        answer = iam.get_instance_profile(InstanceProfileName=name)
    except iam.exceptions.NoSuchEntityException as error:
        raise NotFound(f"there is no instance profile {name}") from error
    return [role["RoleName"] for role in answer["InstanceProfile"]["Roles"]]


def has_role(iam: Any, *, name: str) -> bool:
    """Whether the account has the role."""
    try:
        iam.get_role(RoleName=name)
    except iam.exceptions.NoSuchEntityException:
        return False
    return True


def _date(answer: Mapping[str, Any]) -> datetime | None:
    told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(told) if told else None
    except ValueError:
        return None  # no clock that can be read is none
