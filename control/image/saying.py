"""How the image's tools speak and fail, and where things lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aws_parallelizer.core.errors import ParallelizerError

Say = Callable[[str], None]

REPOSITORY = Path(__file__).resolve().parents[2]


class ImageFailed(ParallelizerError):
    """What was asked for could not be done; the text says why and what to do."""


class Interrupted(ImageFailed):
    """Ctrl-C; the text says what is left, if anything is."""
