"""What the gateways raise when a service fails: for callers that may not import the SDKs."""

from __future__ import annotations

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.dynamodb import Unwritten
from aws_parallelizer.aws.object_errors import ObjectFailure

SERVICE_ERRORS = (*CALL_FAILED, Unwritten, ObjectFailure)
