"""Every error that this library raises on purpose.

ParallelizerError
├── ParameterError        a job's parameters are not allowed
├── MessageError          a queue message is not one of ours
├── KeyRefused            an object key cannot become a path below a folder
├── BadOutput             a program named an output that it may not have
├── EnvironmentRefused    the environment zip cannot be used
├── NoUser                programs cannot run as the user that they are to run as
├── Conflict              what was asked for contradicts what is there
└── NotFound              what was asked for is not there
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class ParallelizerError(Exception):
    """The root: its text is a sentence for a person."""


class Problem(NamedTuple):
    """One parameter that is not allowed: its name, and a sentence that says why."""

    name: str
    sentence: str


class ParameterError(ParallelizerError):
    """All that is wrong with a set of parameters, at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.sentence for problem in problems))


class MessageError(ParallelizerError):
    """A message body that is JSON but not a task."""


class KeyRefused(ParallelizerError):
    """A key that would leave the folder that it is to lie in."""


class BadOutput(ParallelizerError):
    """A named output that leads outside the scratch directory or cannot be stored."""


class EnvironmentRefused(ParallelizerError):
    """The environment zip is missing, broken or would write outside its folder."""


class NoUser(ParallelizerError):
    """The user that programs are to run as is not there, or out of reach."""


class Conflict(ParallelizerError):
    """The request contradicts the present state."""


class NotFound(ParallelizerError):
    """There is no such job, task or object."""
