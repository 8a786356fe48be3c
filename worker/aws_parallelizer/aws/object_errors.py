"""What may become of a call for an object, in our words, whichever client made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import (
    AlreadyExistsError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from aws_parallelizer.core.errors import ParallelizerError

_SKEWED = "RequestTimeTooSkewed"


class ObjectMissing(ParallelizerError):
    """There is no such object."""


class ObjectTaken(ParallelizerError):
    """There is an object of this key already, or another than the one that was to be replaced."""


class ObjectFailure(ParallelizerError):
    """S3 failed, beyond the client's own retries; to try again later may help."""


class ObjectRefused(ObjectFailure):
    """S3 refused for good: no permission, no such bucket."""


class ClockOff(ObjectFailure):
    """The clock of this machine is off, and S3 refuses its signatures until it is set."""


def of_obstore(error: Exception, what: str) -> ParallelizerError:
    """What an error of obstore's means; `what` was asked of S3."""
    sentence = f"{what}: {str(error).partition('Debug source')[0].strip():.500}"
    if _SKEWED in sentence:
        return _clock_off(sentence)
    if isinstance(error, AlreadyExistsError | PreconditionError):
        return ObjectTaken(sentence)
    if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in sentence:
        return ObjectMissing(sentence)
    if isinstance(error, FileNotFoundError | PermissionDeniedError | UnauthenticatedError):
        return ObjectRefused(sentence)
    return ObjectFailure(sentence)


def by_boto3(call: Callable[..., Any], *arguments: Any, **parameters: Any) -> Any:
    """The answer of a boto3 call, its errors as ours."""
    try:
        return call(*arguments, **parameters)
    except ClientError as error:
        status = error.response["ResponseMetadata"].get("HTTPStatusCode")
        code = error.response["Error"]["Code"]
        if code == _SKEWED:
            raise _clock_off(str(error)) from error
        kinds = {404: ObjectMissing, 412: ObjectTaken, 403: ObjectRefused, 401: ObjectRefused}
        kind = ObjectRefused if code == "NoSuchBucket" else kinds.get(status, ObjectFailure)
        raise kind(str(error)) from error
    except BotoCoreError as error:
        raise ObjectFailure(str(error)) from error


def _clock_off(sentence: str) -> ClockOff:
    return ClockOff(f"the clock of this machine is off, and S3 refuses its signatures: {sentence}")
