"""A job as the control plane keeps it: its name, its settled parameters, and what people wished of
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from aws_parallelizer.core.errors import ParameterError, Problem
from aws_parallelizer.core.keys import LOGS
from aws_parallelizer.core.parameters import Parameters

JOB_NAME = re.compile(r"[a-z0-9-]{1,40}")


class StackDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """What the stack fills in where a job's parameters are silent."""

    input_bucket: str
    output_bucket: str
    environment_bucket: str
    region: str


class Wish(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A person's order to launch `count` instances, whatever the backlog; carried out once."""

    id: str
    count: int
    max_price: float | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A job's row. `version` counts its writes, 0 = not yet stored.

    Its inputs lie where its parameters say since `inputs_since`, None = since `created`. `paused`
    by a person, `hold` = why reconcile lets no worker take tasks (the budget is spent).
    `enqueues` are the ids of enqueues and retries that are under way, `retry` is the last retry's.
    """

    name: str
    parameters: Parameters
    created: datetime
    inputs_since: datetime | None = None
    queue_url: str = ""
    dead_letter_url: str = ""
    own_queue: bool = False
    stopped: bool = False
    deleting: bool = False
    purge: bool = False
    paused: bool = False
    hold: str = ""
    wishes: tuple[Wish, ...] = ()
    enqueues: tuple[str, ...] = ()
    retry: str = ""
    version: int = 0

    @property
    def leasing(self) -> bool:
        """Whether workers may take tasks."""
        return not (self.paused or self.hold or self.stopped or self.deleting)


def checked_name(name: str) -> str:
    """`name`, or ParameterError that says what a job's name may be."""
    if not JOB_NAME.fullmatch(name):
        sentence = f"job is {name!r:.80}; allowed: 1 to 40 of lower-case letters, digits and -."
        raise ParameterError([Problem("job", sentence)])
    return name


def settle(parameters: Parameters, *, job: str, stack: StackDefaults) -> Parameters:
    """The parameters with all that the stack or the job's name decides filled in.

    The region is always the stack's: its queues and instances are there.
    """
    prefix = f"{job}/"
    return msgspec.structs.replace(
        parameters,
        region=stack.region,
        input_bucket=parameters.input_bucket or stack.input_bucket,
        output_bucket=parameters.output_bucket or stack.output_bucket,
        environment_bucket=parameters.environment_bucket or stack.environment_bucket,
        input_prefix=prefix if parameters.input_prefix is None else parameters.input_prefix,
        output_prefix=prefix if parameters.output_prefix is None else parameters.output_prefix,
    )


def check_prefixes(name: str, settled: Parameters, others: Iterable[Job]) -> None:
    """Raise ParameterError if inputs or outputs of this job and of `others` would mix."""
    problems = list(_loops(name, settled))
    for other in others:
        if other.name != name:
            problems.extend(_clashes(settled, other))
    if problems:
        raise ParameterError(problems)


def _under(prefix: str | None, other: str | None) -> bool:
    return (prefix or "").startswith(other or "")


def _loops(name: str, own: Parameters) -> Iterator[Problem]:
    if own.output_bucket == own.input_bucket and _under(own.output_prefix, own.input_prefix):
        yield Problem(
            "outputPrefix",
            f"outputPrefix {own.output_prefix!r} lies under inputPrefix {own.input_prefix!r} in "
            f"bucket {own.input_bucket}: outputs of {name} would become its inputs.",
        )
    logs = (own.output_prefix or "") + LOGS
    if own.output_bucket == own.input_bucket and _under(own.input_prefix, logs):
        yield Problem(
            "inputPrefix",
            f"inputPrefix {own.input_prefix!r} lies under {logs!r} in bucket {own.input_bucket}: "
            f"logs of {name} would become its inputs.",
        )


def _clashes(own: Parameters, other: Job) -> Iterator[Problem]:
    theirs = other.parameters
    if own.input_bucket == theirs.input_bucket and (
        _under(own.input_prefix, theirs.input_prefix)
        or _under(theirs.input_prefix, own.input_prefix)
    ):
        yield Problem(
            "inputPrefix",
            f"inputPrefix {own.input_prefix!r} and {theirs.input_prefix!r} of job {other.name} "
            f"contain one another in bucket {own.input_bucket}; allowed: prefixes that do not.",
        )
    if own.output_bucket == theirs.input_bucket and _under(own.output_prefix, theirs.input_prefix):
        yield Problem(
            "outputPrefix",
            f"outputPrefix {own.output_prefix!r} lies under job {other.name}'s inputPrefix "
            f"{theirs.input_prefix!r} in bucket {own.output_bucket}.",
        )
    if own.input_bucket == theirs.output_bucket and _under(theirs.output_prefix, own.input_prefix):
        yield Problem(
            "inputPrefix",
            f"inputPrefix {own.input_prefix!r} takes in job {other.name}'s outputPrefix "
            f"{theirs.output_prefix!r} in bucket {own.input_bucket}.",
        )


def owner(jobs: Iterable[Job], *, bucket: str, key: str) -> Job | None:
    """The job whose inputs include the object, or None."""
    for job in jobs:
        inside = _under(key, job.parameters.input_prefix)
        if inside and bucket == job.parameters.input_bucket and not job.deleting:
            return job
    return None
