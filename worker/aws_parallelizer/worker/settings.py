"""The environment variables, read once."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


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

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Raises ValueError for what cannot be read."""
        get = environment.get
        return cls(
            scratch=Path(get("PARALLELIZER_SCRATCH") or "/var/lib/aws-parallelizer/scratch"),
            power_off=tuple(shlex.split(get("PARALLELIZER_POWEROFF") or "systemctl poweroff")),
            metadata=get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "http://169.254.169.254/",
            # EC2's guide advises to look for a spot notice every 5 seconds.
            notice_seconds=float(get("PARALLELIZER_NOTICE_SECONDS") or 5),
            settle_seconds=float(get("PARALLELIZER_SETTLE_SECONDS") or 600),
            beat_seconds=float(get("PARALLELIZER_BEAT_SECONDS") or 60),
            path=get("PATH") or "/usr/local/bin:/usr/bin:/bin",
            user=get("PARALLELIZER_USER") or "nobody",
        )
