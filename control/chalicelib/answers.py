"""What the API says: statuses and documents. Pure; the one place where errors become answers."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import msgspec

from aws_parallelizer.core.errors import Conflict, NotFound, ParameterError
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.parameters import as_mapping
from aws_parallelizer.core.task import Task


class Answer(NamedTuple):
    """An HTTP status and what is said with it."""

    status: int
    document: dict[str, Any]

    @property
    def unexplained(self) -> bool:
        """Whether the caller was not told why: then the log must be."""
        return self.status >= 500


# Chalice's own words for the same statuses, so that a caller meets one set of codes.
_FAILURES: tuple[tuple[type[Exception], int, str], ...] = (
    (ParameterError, 400, "BadRequestError"),
    (NotFound, 404, "NotFoundError"),
    (Conflict, 409, "ConflictError"),
)


def failure(error: Exception) -> Answer:
    """The answer to a call that raised `error`; what is not the caller's fault is not explained."""
    for kind, status, code in _FAILURES:
        if isinstance(error, kind):
            return Answer(status, {"Code": code, "Message": str(error)})
    sentence = "The control plane failed; its log says why. The call may be repeated."
    return Answer(500, {"Code": "InternalServerError", "Message": sentence})


def encode(document: object) -> str:
    """The document as JSON; times in ISO 8601 UTC."""
    return msgspec.json.encode(document).decode()


def plain(document: object) -> Any:
    """The document as its JSON reads: for expressions over it."""
    return msgspec.to_builtins(document)


def whole(record: msgspec.Struct) -> dict[str, Any]:
    """Every field of a record under its public name, defaults too."""
    return {
        field.encode_name: getattr(record, field.name) for field in msgspec.structs.fields(record)
    }


def job(found: Job, status: dict[str, Any], warnings: tuple[str, ...] = ()) -> dict[str, Any]:
    """A job's document. Its parameters hold no secret: none is ever stored."""
    document = {"job": found.name, "parameters": as_mapping(found.parameters), "status": status}
    return {**document, "warnings": warnings} if warnings else document


def task(row: Task) -> dict[str, Any]:
    """A task's document."""
    return whole(row)


def severity(answer: Answer) -> int:
    """How loudly the log tells of an answer: only what is not the caller's fault is an error."""
    return logging.ERROR if answer.unexplained else logging.INFO
