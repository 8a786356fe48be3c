"""A job is its parameters: the table of them, reading (text and JSON), checking, and writing.

On disk and in EC2 user data they are lines `name=value`, the format of the Java program of 2012,
whose files are read as they are; over HTTP a JSON object with the same names. All that is wrong is
reported at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from aws_parallelizer.core import values
from aws_parallelizer.core.errors import ParameterError, Problem
from aws_parallelizer.core.values import Reader, Value

MAX_USER_DATA_BYTES = 16 * 1024  # EC2's limit, before base64
_SECRETS = ("accessKey", "secretKey")
_SPECIAL_NAMES = {"region": "EC2SQSRegion", "queue_url": "queueURL", "image_id": "imageID"}


class Parameters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A job's parameters; `None` is "not given": the stack or the job's name decides (`settle`)."""

    region: str = "us-east-1"
    input_bucket: str | None = None
    output_bucket: str | None = None
    environment_bucket: str | None = None
    input_prefix: str | None = None
    output_prefix: str | None = None
    queue_url: str | None = None
    environment_zip: str
    environment_prefix: str = ""
    analysis_program: str
    visibility_timeout: int = 120
    num_threads: int = 0
    should_shutdown: bool = True
    shutdown_behavior: str = "terminate"
    spot_type: str = "one-time"
    key_pair: str | None = None
    image_id: str | None = None
    security_group: tuple[str, ...] | None = None
    subnets: tuple[str, ...] | None = None
    instance_type: tuple[str, ...] | None = None
    max_price: float | None = None
    max_instances: int = 10
    drain_seconds: int = 600
    max_attempts: int = 3
    timeout: int = 0
    on_demand_after: int = 0
    budget: float | None = None
    filter: str | None = None
    keep_logs: str = "failed"
    idle_timeout: int = 120
    notify: str | None = None


class Spec(NamedTuple):
    """One row of the table: how its text is read, and what it means to a user."""

    reader: Reader
    meaning: str


_BUCKET = values.pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{2,254}", "the name of an S3 bucket")

SPECS: dict[str, Spec] = {
    "region": Spec(
        values.pattern(r"[a-z]{2}(-[a-z]+)+-[0-9]", "an AWS region, such as us-east-1"),
        "AWS region",
    ),
    "input_bucket": Spec(_BUCKET, "where the input files are; the stack's by default"),
    "output_bucket": Spec(_BUCKET, "where the outputs go; the stack's by default"),
    "environment_bucket": Spec(_BUCKET, "where the environment zip is; the stack's by default"),
    "input_prefix": Spec(values.key_text, "which objects are inputs; `<job>/` by default"),
    "output_prefix": Spec(values.key_text, "what output keys start with; `<job>/` by default"),
    "queue_url": Spec(
        values.pattern(r"https?://[^\s]{1,1000}", "the URL of an SQS queue"),
        "your own work queue; made with the job by default",
    ),
    "environment_zip": Spec(values.key_text, "key of the zip with the program and all it needs"),
    "environment_prefix": Spec(values.folder, "folder inside the zip that holds the program"),
    "analysis_program": Spec(values.program, "the command, run as `./<program> <input file name>`"),
    "visibility_timeout": Spec(
        values.whole(30, 43200, unit="seconds"), "the lease on a task; renewed every third of it"
    ),
    "num_threads": Spec(values.whole(0, 1024), "slots on an instance; 0 = its vCPUs"),
    "should_shutdown": Spec(values.truth, "shut the instance down when there is no more work"),
    "shutdown_behavior": Spec(values.one_of("terminate", "stop"), "what a shutdown does"),
    "spot_type": Spec(
        values.one_of("one-time", "persistent", also={"on-time": "one-time"}),
        "kind of spot request",
    ),
    "key_pair": Spec(values.pattern(r".{1,255}", "the name of an EC2 key pair"), "for ssh"),
    "image_id": Spec(
        values.pattern(r"ami-[0-9a-zA-Z-]{1,40}", "an AMI id, such as ami-0abc"),
        "the image; the last `make ami` by default",
    ),
    "security_group": Spec(
        values.several(values.pattern(r"[^,]{1,255}", "names or ids of security groups")),
        "names or ids, comma-separated; the stack's by default",
    ),
    "subnets": Spec(
        values.several(values.pattern(r"subnet-[0-9a-z]+", "subnet ids, comma-separated")),
        "subnet ids, comma-separated; the stack's by default",
    ),
    "instance_type": Spec(
        values.several(values.instance_type),
        "one or several, comma-separated; a varied list by default",
    ),
    "max_price": Spec(
        values.dollars, "dollars an hour for each instance; on-demand price by default"
    ),
    "max_instances": Spec(values.whole(1, 10000), "never more than this many at once"),
    "drain_seconds": Spec(
        values.whole(1, 1209600, unit="seconds"), "how fast the backlog should be worked off"
    ),
    "max_attempts": Spec(values.whole(1, 100), "counted attempts before a task is failed"),
    "timeout": Spec(values.whole(0, 39600, unit="seconds"), "limit for one attempt; 0 = none"),
    "on_demand_after": Spec(
        values.whole(0, 10080, unit="minutes"),
        "without spot capacity for so long, on-demand takes over; 0 = never",
    ),
    "budget": Spec(values.dollars, "dollars; when spent, no new launch and the fleet drains"),
    "filter": Spec(values.query, "JMESPath over {key, size, etag}; false = not enqueued"),
    "keep_logs": Spec(
        values.one_of("always", "failed", "never"), "which attempts' full output is kept"
    ),
    "idle_timeout": Spec(
        values.whole(1, 43200, unit="seconds"), "how long a worker waits on an empty queue"
    ),
    "notify": Spec(
        values.pattern(
            r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.{1,256}", "the ARN of an SNS topic"
        ),
        "an SNS topic that is told how the job goes",
    ),
}

REQUIRED = ("environment_zip", "analysis_program")


def _public(field: str) -> str:
    head, *rest = field.split("_")
    return _SPECIAL_NAMES.get(field) or head + "".join(word.capitalize() for word in rest)


NAMES: dict[str, str] = {_public(field): field for field in SPECS}


class Parsed(NamedTuple):
    """What was read, and what a user should know about it."""

    parameters: Parameters
    warnings: tuple[str, ...]


def read_lines(text: str) -> tuple[list[tuple[str, str]], list[Problem]]:
    """The (name, value) pairs of `name=value` lines, and a problem for each line that is none."""
    pairs: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.lstrip("\ufeff").split("\n"), start=1):
        name, equals, value = line.strip().partition("=")
        if not line.strip() or name.startswith("#"):
            continue
        if name and equals:
            pairs.append((name.strip(), value.strip()))
        else:
            problems.append(
                Problem(
                    name, f"Line {number}, {line.strip()!r:.80}, is not of the form name=value."
                )
            )
    return pairs, problems


def parse_text(text: str) -> Parsed:
    """Read `name=value` lines; raises ParameterError with all that is wrong."""
    return parse_pairs(*read_lines(text))


def parse_json(document: object) -> Parsed:
    """Read a decoded JSON object; raises ParameterError with all that is wrong."""
    if not isinstance(document, dict):
        raise ParameterError([Problem("", "Parameters are a JSON object: {name: value, ...}.")])
    pairs: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for name, value in document.items():
        if value is None:
            continue
        if isinstance(value, str | int | float):
            pairs.append((str(name), values.show(value).strip()))
        else:
            problems.append(
                Problem(
                    name, f"{name} is {type(value).__name__}; allowed: text, number, true, false."
                )
            )
    return parse_pairs(pairs, problems)


def parse_pairs(pairs: Iterable[tuple[str, str]], problems: list[Problem]) -> Parsed:
    """Check (name, text) pairs; `problems` are those met on the way here. Raises ParameterError."""
    given: dict[str, Value] = {}
    warnings: list[str] = []
    seen: set[str] = set()
    for name, text in pairs:
        if name in _SECRETS:
            warnings.append(f"{name} is dropped: credentials come from the standard AWS chain.")
        elif name not in NAMES:
            problems.append(_unknown(name))
        elif name in seen:
            problems.append(Problem(name, f"{name} is given twice."))
        else:
            seen.add(name)
            _read(name, text, into=given, problems=problems)
    problems.extend(_missing(given, {problem.name for problem in problems}))
    problems.extend(_contradictions(given))
    if problems:
        raise ParameterError(problems)
    return Parsed(msgspec.convert(given, Parameters), tuple(dict.fromkeys(warnings)))


def _read(name: str, text: str, *, into: dict[str, Value], problems: list[Problem]) -> None:
    if not text:
        return  # an empty value is "not given"
    if re.search(r"[\x00-\x1f\x7f\x85\u2028\u2029]", text):
        problems.append(
            Problem(name, f"{name} holds a control character; allowed: one line of text.")
        )
        return
    try:
        into[NAMES[name]] = SPECS[NAMES[name]].reader(text)
    except ValueError as error:
        problems.append(Problem(name, f"{name} is {text!r:.200}; allowed: {error}."))


def _unknown(name: str) -> Problem:
    near = difflib.get_close_matches(
        name.lower(), [known.lower() for known in NAMES], n=1, cutoff=0
    )
    nearest = next((known for known in NAMES if near and known.lower() == near[0]), "")
    return Problem(name, f"{name!r:.80} is not a parameter; the nearest one is {nearest}.")


def _missing(given: Mapping[str, Value], wrong: set[str]) -> Iterator[Problem]:
    for field in REQUIRED:
        name = _public(field)
        if field not in given and name not in wrong:
            yield Problem(name, f"{name} is missing; it is {SPECS[field].meaning}.")


def _contradictions(given: Mapping[str, Value]) -> Iterator[Problem]:
    if (
        given.get("spot_type", "one-time") == "one-time"
        and given.get("shutdown_behavior") == "stop"
    ):
        yield Problem(
            "shutdownBehavior",
            "shutdownBehavior is stop and spotType is one-time: EC2 stops only persistent spot "
            "instances; allowed: terminate, or spotType=persistent.",
        )


def as_mapping(parameters: Parameters) -> dict[str, Value]:
    """`{public name: value}` of all that is set, for JSON; lists are comma-separated text."""
    found: dict[str, Value] = {}
    for name, field in NAMES.items():
        value = getattr(parameters, field)
        if value is not None:
            found[name] = values.show(value) if isinstance(value, tuple) else value
    return found


def as_text(parameters: Parameters) -> str:
    """`name=value` lines that parse back to the same parameters."""
    return "".join(
        f"{name}={values.show(value)}\n" for name, value in as_mapping(parameters).items()
    )
