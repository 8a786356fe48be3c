"""The SQS envelope of a task."""

from __future__ import annotations

import msgspec

from aws_parallelizer.core.errors import MessageError
from aws_parallelizer.core.keys import MAX_KEY_BYTES


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One input object of a job; `etag` is its generation. A bare key (the Java program's) has only
    a key.
    """

    key: str
    bucket: str = ""
    job: str = ""
    etag: str = ""
    size: int = 0
    v: int = 1


def encode(message: Message) -> str:
    """The JSON body of a message, in characters that SQS takes."""
    text = msgspec.json.encode(message).decode()
    for refused in "\ufffe\uffff":
        text = text.replace(refused, f"\\u{ord(refused):04x}")
    return text


def decode(body: str, *, job: str = "") -> Message:
    """The message of a body: ours is a JSON object, anything else is a bare key. Raises
    MessageError, also for one that says that it is of another job than `job`.
    """
    message = _decode(body)
    if message.v != 1 or not message.key:
        raise MessageError(f"not a task: version {message.v}, key {message.key!r:.80}")
    if len(message.key.encode()) > MAX_KEY_BYTES:
        # The ledger would refuse it, and all that is looked up beside it.
        raise MessageError(f"not a task: no object has a key as long as {message.key!r:.80}...")
    if job and message.job not in ("", job):
        raise MessageError(f"not a task of job {job}: it is of job {message.job!r:.80}")
    return message


def _decode(body: str) -> Message:
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return Message(key=body)
    if not isinstance(document, dict):
        return Message(key=body)
    try:
        return msgspec.convert(document, Message)
    except msgspec.ValidationError as error:
        raise MessageError(f"not a task: {error}") from error
