"""What a caller may say: bodies and query strings as values. Pure; raises ParameterError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult
from msgspec import Meta

from aws_parallelizer.core import parameters
from aws_parallelizer.core.errors import ParameterError, Problem
from aws_parallelizer.core.outcome import OF_RETRIABLE, Outcome, State
from aws_parallelizer.core.parameters import Parsed

MAX_PAGE = 1000
MAX_KEY_BYTES = 1024  # S3's
MAX_KEYS_BYTES = 256_000  # of one retry: its row, packed, stays below DynamoDB's 400 KB

T = TypeVar("T")


class Enqueue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to enqueue; the job's inputs where nothing is said."""

    bucket: Annotated[str, Meta(min_length=3, max_length=255)] | None = None
    prefix: str | None = None

    def __post_init__(self) -> None:
        _fits(self.prefix or "")


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tasks to try again: all failed ones where nothing is said."""

    outcome: Outcome | None = None
    prefix: str | None = None
    keys: Annotated[tuple[str, ...], Meta(min_length=1, max_length=1000)] | None = None

    def __post_init__(self) -> None:
        if self.outcome and self.outcome not in OF_RETRIABLE:
            raise ValueError(f"outcome is {self.outcome}; allowed: {', '.join(OF_RETRIABLE)}")
        for key in (self.prefix or "", *(self.keys or ())):
            _fits(key)
        if not all(self.keys or ("some",)):
            raise ValueError("keys holds an empty key")
        if sum(len(key.encode()) for key in self.keys or ()) > MAX_KEYS_BYTES:
            raise ValueError(f"keys has more than {MAX_KEYS_BYTES} bytes of UTF-8 in all")


class Launch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """How many instances to launch, and the most that each may cost in dollars an hour."""

    count: Annotated[int, Meta(ge=1, le=10000)]
    max_price: Annotated[float, Meta(gt=0)] | None = None


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A POST that has no more to say."""


class TaskQuery(msgspec.Struct, frozen=True, kw_only=True, rename={"token": "next"}):
    """Which tasks to list."""

    state: State | None = None
    prefix: str = ""
    query: str = ""
    token: str = ""
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 100

    def __post_init__(self) -> None:
        _fits(self.prefix)


class Listing(msgspec.Struct, frozen=True, kw_only=True, rename={"token": "next"}):
    """Which jobs to list."""

    token: str = ""
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 100


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a job to delete: with `purge` its ledger rows too."""

    purge: bool = False


class OneTask(msgspec.Struct, frozen=True, kw_only=True):
    """Which task to explain."""

    key: Annotated[str, Meta(min_length=1)]

    def __post_init__(self) -> None:
        _fits(self.key)


def job_parameters(body: bytes, content_type: str) -> Parsed:
    """A job's parameters, from JSON or from the text of a parameters file."""
    if "text/plain" not in content_type.lower():
        return parameters.parse_json(_decoded(body))
    try:
        return parameters.parse_text(body.decode())
    except UnicodeDecodeError as error:
        raise _refused("", f"The body is not UTF-8 text: {error}.") from error


def body(raw: bytes, kind: type[T]) -> T:
    """The body of a POST; an empty one is an empty object."""
    document = _decoded(raw) if raw.strip() else {}
    if not isinstance(document, dict):
        raise _refused("", "The body is to be a JSON object.")
    return _converted(document, kind, strict=True)


def query(given: Mapping[str, str], kind: type[T]) -> T:
    """The values of a query string."""
    return _converted(given, kind, strict=False)


def expression(text: str) -> ParsedResult:
    """A JMESPath expression."""
    try:
        return jmespath.compile(text)
    except JMESPathError as error:
        raise _refused("query", f"query is not a JMESPath expression: {error}.") from error


def evaluated(compiled: ParsedResult, document: object) -> object:
    """What the expression finds in the document."""
    try:
        return compiled.search(document)
    except JMESPathError as error:
        raise _refused("query", f"query fails on this page: {error}.") from error


def idempotency_key(given: str | None) -> str:
    """The Idempotency-Key of a POST, empty without one."""
    if given and len(given) > 255:
        raise _refused("Idempotency-Key", "Idempotency-Key has at most 255 characters.")
    return given or ""


def _fits(key: str) -> None:
    """What a Struct checks of itself beyond types; msgspec makes a ValidationError of it."""
    if len(key.encode()) > MAX_KEY_BYTES:
        raise ValueError(f"a key or a prefix has at most {MAX_KEY_BYTES} bytes of UTF-8")


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        sentence = (
            f"The body is not JSON: {error}. The text of a parameters file is sent as text/plain."
        )
        raise _refused("", sentence) from error


def _converted(given: Mapping[str, object], kind: type[T], *, strict: bool) -> T:
    try:
        converted: T = msgspec.convert(given, kind, strict=strict)
    except msgspec.ValidationError as error:
        # msgspec names the field as `$.field`, or in the sentence itself.
        raise _refused("", str(error).replace("`$.", "`")) from error
    return converted


def _refused(name: str, sentence: str) -> ParameterError:
    return ParameterError([Problem(name, sentence)])
