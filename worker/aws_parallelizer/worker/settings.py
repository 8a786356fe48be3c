"""The environment variables, read once."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from aws_parallelizer.worker import logs


class Settings(NamedTuple):
    """How this machine differs from others."""

    scratch: Path
    power_off: tuple[str, ...]
    metadata: str
    notice_seconds: float
    settle_seconds: float
    beat_seconds: float
    path: str
    user: str
    log: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Raises ValueError for what cannot be read, naming it."""
        get = environment.get
        return cls(
            scratch=Path(get("PARALLELIZER_SCRATCH") or "/var/lib/aws-parallelizer/scratch"),
            power_off=_command(environment, "PARALLELIZER_POWEROFF", "systemctl poweroff"),
            metadata=get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "http://169.254.169.254/",
            # EC2's guide advises to look for a spot notice every 5 seconds.
            notice_seconds=_seconds(environment, "PARALLELIZER_NOTICE_SECONDS", 5),
            settle_seconds=_seconds(environment, "PARALLELIZER_SETTLE_SECONDS", 600),
            beat_seconds=_seconds(environment, "PARALLELIZER_BEAT_SECONDS", 60),
            path=get("PATH") or "/usr/local/bin:/usr/bin:/bin",
            user=get("PARALLELIZER_USER") or "nobody",
            log=_log(get("PARALLELIZER_LOG") or ""),
        )


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    told = environment.get(name)
    try:
        seconds = float(told) if told else default
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"{name} is {told!r}: a number of seconds above 0")
    return seconds


def _command(environment: Mapping[str, str], name: str, default: str) -> tuple[str, ...]:
    told = environment.get(name) or default
    try:
        return tuple(shlex.split(told))
    except ValueError as error:
        raise ValueError(f"{name} is {told!r}: {error}") from error


def _log(told: str) -> str:
    if told not in ("", *logs.KINDS):
        raise ValueError(f"PARALLELIZER_LOG is {told!r}: {' or '.join(logs.KINDS)}")
    return told
