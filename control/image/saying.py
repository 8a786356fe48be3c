"""How the image's tools fail, and where things lie."""

from __future__ import annotations

from pathlib import Path

from aws_parallelizer.core.errors import ParallelizerError

REPOSITORY = Path(__file__).resolve().parents[2]


class ImageFailed(ParallelizerError):
    """What was asked for could not be done; the text says why and what to do."""
