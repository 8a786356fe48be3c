"""EC2 user data: a job's parameters, its name, its stack's and the ledger's table; never a secret.

Without a `ledgerTable` the worker runs as the Java program did, from the queue alone; without a
`stack` it keeps its metrics to itself.
"""

from __future__ import annotations

from typing import NamedTuple

from aws_parallelizer.core.errors import ParameterError, Problem
from aws_parallelizer.core.job import JOB_NAME, checked_name
from aws_parallelizer.core.parameters import (
    MAX_USER_DATA_BYTES,
    Parameters,
    as_text,
    parse_pairs,
    read_lines,
)

_OWN = ("job", "ledgerTable", "stack")  # lines that are no parameters


class UserData(NamedTuple):
    """What an instance is told at its launch. `job`, `ledger_table` and `stack` are empty in the
    Java program's way.
    """

    parameters: Parameters
    job: str = ""
    ledger_table: str = ""
    stack: str = ""


class Whose(NamedTuple):
    """Whose an instance is; each is empty if it cannot be told."""

    job: str
    ledger_table: str
    stack: str


def encode(data: UserData) -> str:
    """The text for EC2; raises ParameterError above EC2's 16 KiB."""
    own = f"job={data.job}\nledgerTable={data.ledger_table}\nstack={data.stack}\n"
    text = own + as_text(data.parameters)
    if len(text.encode()) > MAX_USER_DATA_BYTES:
        sentence = f"The parameters make {len(text.encode())} bytes of user data; EC2 takes 16,384."
        raise ParameterError([Problem("", sentence)])
    return text


def decode(raw: bytes) -> UserData:
    """Read user data; raises ParameterError with all that is wrong, also for what is not text."""
    try:
        pairs, problems = read_lines(raw.decode())
    except UnicodeDecodeError as error:
        raise ParameterError([Problem("", f"The user data is not UTF-8 text: {error}.")]) from error
    extra = {name: value for name, value in pairs if name in _OWN}
    own = [(name, value) for name, value in pairs if name not in extra]
    parameters = parse_pairs(own, problems).parameters
    job = checked_name(extra["job"]) if extra.get("job") else ""
    _require_places(parameters)
    return UserData(
        parameters=parameters,
        job=job,
        ledger_table=extra.get("ledgerTable", ""),
        stack=extra.get("stack", ""),
    )


def whose(raw: bytes) -> Whose:
    """Whose it is: for a worker that cannot read the rest, and has to say so somewhere."""
    pairs, _ = read_lines(raw.decode(errors="replace"))
    told = dict(pairs)
    job = told.get("job", "")
    return Whose(
        job=job if JOB_NAME.fullmatch(job) else "",
        ledger_table=told.get("ledgerTable", ""),
        stack=told.get("stack", ""),
    )


def _require_places(parameters: Parameters) -> None:
    places = {
        "inputBucket": parameters.input_bucket,
        "outputBucket": parameters.output_bucket,
        "environmentBucket": parameters.environment_bucket,
        "queueURL": parameters.queue_url,
    }
    problems = [
        Problem(name, f"{name} is missing in the user data.")
        for name, value in places.items()
        if not value
    ]
    if problems:
        raise ParameterError(problems)
