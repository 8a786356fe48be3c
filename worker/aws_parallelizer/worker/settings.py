"""The environment variables, read once."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from aws_parallelizer.worker import logs

T = TypeVar("T")


class Settings(NamedTuple):
    """How this machine differs from others. `problems` are sentences on what could not be read, and
    has its default here: who says so needs the others.
    """

    scratch: Path
    power_off: tuple[str, ...]
    metadata: str
    notice_seconds: float
    settle_seconds: float
    beat_seconds: float
    path: str
    user: str
    log: str
    watchdog: str
    watchdog_seconds: float
    problems: tuple[str, ...]

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """All of them."""
        get = environment.get
        reading = _Reading(environment)
        return cls(
            scratch=Path(get("PARALLELIZER_SCRATCH") or "/var/lib/aws-parallelizer/scratch"),
            power_off=reading("PARALLELIZER_POWEROFF", _command, ("systemctl", "poweroff")),
            metadata=get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "http://169.254.169.254/",
            # EC2's guide advises to look for a spot notice every 5 seconds.
            notice_seconds=reading("PARALLELIZER_NOTICE_SECONDS", _seconds, 5.0),
            settle_seconds=reading("PARALLELIZER_SETTLE_SECONDS", _seconds, 600.0),
            beat_seconds=reading("PARALLELIZER_BEAT_SECONDS", _seconds, 60.0),
            path=get("PATH") or "/usr/local/bin:/usr/bin:/bin",
            user=get("PARALLELIZER_USER") or "nobody",
            log=reading("PARALLELIZER_LOG", _log, ""),
            # systemd's own, where the unit has WatchdogSec.
            watchdog=(get("NOTIFY_SOCKET") or "") if get("WATCHDOG_USEC") else "",
            watchdog_seconds=reading("WATCHDOG_USEC", _microseconds, math.inf),
            problems=tuple(reading.problems),
        )


class _Reading:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def __call__(self, name: str, read: Callable[[str], T], default: T) -> T:
        told = self._environment.get(name)
        if not told:
            return default
        try:
            return read(told)
        except ValueError as error:
            self.problems.append(f"{name} is {told!r}: {error}")
            return default


def _seconds(told: str) -> float:
    try:
        seconds = float(told)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError("it has to be a number of seconds above 0")
    return seconds


def _microseconds(told: str) -> float:
    return _seconds(told) / 1_000_000


def _command(told: str) -> tuple[str, ...]:
    words = tuple(shlex.split(told))
    if not words:
        raise ValueError("it has to be a command")
    return words


def _log(told: str) -> str:
    if told not in logs.KINDS:
        raise ValueError(f"it has to be {' or '.join(logs.KINDS)}")
    return told
