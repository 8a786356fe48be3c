"""Parameters that other programs leave for us in Systems Manager."""

from __future__ import annotations

from typing import Any


def parameter(client: Any, *, name: str) -> str | None:
    """The parameter's value, or None where there is none; raises what botocore raises."""
    try:
        return str(client.get_parameter(Name=name)["Parameter"]["Value"])
    except client.exceptions.ParameterNotFound:
        return None  # nobody has made an image yet: the caller says so
