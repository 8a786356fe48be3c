"""What the gateways raise when a service fails: for callers that may not import the SDKs."""

from __future__ import annotations

from botocore.exceptions import ClientError

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.dynamodb import Unwritten
from aws_parallelizer.aws.object_errors import ObjectFailure

SERVICE_ERRORS = (*CALL_FAILED, Unwritten, ObjectFailure)

_LASTING = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


def is_lasting(error: Exception) -> bool:
    """Whether the queue itself is gone, so that to ask again is of no use."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in _LASTING
