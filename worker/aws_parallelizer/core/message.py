"""The SQS envelope of a task."""

from __future__ import annotations

import msgspec

from aws_parallelizer.core.errors import MessageError


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


def decode(body: str) -> Message:
    """The message of a body: ours is a JSON object, anything else is a bare key. Raises
    MessageError.
    """
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return _bare(body)
    if not isinstance(document, dict):
        return _bare(body)
    try:
        message = msgspec.convert(document, Message)
    except msgspec.ValidationError as error:
        raise MessageError(f"not a task: {error}") from error
    if message.v != 1 or not message.key:
        raise MessageError(f"not a task: version {message.v}, key {message.key!r:.80}")
    return message


def _bare(body: str) -> Message:
    if not body:
        raise MessageError("not a task: an empty body")
    return Message(key=body)
