"""Making a job: its parameters are checked here first, so that all errors are said at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aws_parallelizer.cli import environments
from aws_parallelizer.cli.connection import Connection
from aws_parallelizer.cli.environments import Environment
from aws_parallelizer.core import parameters
from aws_parallelizer.core.errors import ParallelizerError, ParameterError, Problem
from aws_parallelizer.core.job import checked_name
from aws_parallelizer.core.values import Value


class Wanted(NamedTuple):
    """What a user asks for, checked: only what was given, so that the stack's defaults hold."""

    given: dict[str, Value]
    warnings: tuple[str, ...]
    environment: Environment | None


def text(path: Path) -> str:
    """A parameter file's text; raises ParameterError for what is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ParameterError([Problem("", f"{path} is not UTF-8 text: {error}.")]) from error


def read(lines: str, *, settings: Sequence[str], environment: Environment | None) -> Wanted:
    """Read a parameter file's lines; `settings` (`name=value`) and the environment's key go before.

    Raises ParameterError with all that is wrong, or EnvironmentRefused.
    """
    pairs, problems = parameters.read_lines(lines)
    over = [_setting(setting, problems) for setting in settings]
    if environment:
        over.append(("environmentZip", environment.key))
    replaced = dict(over)
    merged = [pair for pair in pairs if pair[0] not in replaced] + list(replaced.items())
    values, warnings = parameters.parse_pairs(merged, problems)
    if environment:
        environments.check_program(
            environment, prefix=values.environment_prefix, program=values.analysis_program
        )
    named = {name for name, _ in merged}
    given = {name: value for name, value in parameters.as_mapping(values).items() if name in named}
    return Wanted(given, warnings, environment)


def create(connection: Connection, job: str, *, wanted: Wanted) -> Any:
    """Store the environment, then the job; the job's document."""
    checked_name(job)
    if wanted.environment:
        _store(connection, wanted.environment, given=wanted.given)
    return connection.api.put(f"/jobs/{job}", wanted.given)


def _setting(setting: str, problems: list[Problem]) -> tuple[str, str]:
    name, equals, value = setting.partition("=")
    if not equals:
        problems.append(Problem(name, f"--set {setting!r:.80} is not of the form name=value."))
    return name.strip(), value.strip()


def _store(connection: Connection, environment: Environment, *, given: dict[str, Value]) -> None:
    bucket = str(given.get("environmentBucket") or connection.environment_bucket)
    if not bucket:
        raise ParallelizerError(
            "Where is the environment to go? Set PARALLELIZER_ENVIRONMENT_BUCKET, or "
            "--set environmentBucket=..."
        )
    asyncio.run(
        connection.objects().upload(
            environment.path, bucket=bucket, key=environment.key, replace=True
        )
    )
