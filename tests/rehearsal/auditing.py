"""The audit of an image, as its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


def audit(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Its exit code, and what it found."""
    ended = subprocess.run(
        [sys.executable, "-m", "image.audit", *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "control")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stderr
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


def places(found: list[dict[str, Any]]) -> set[str]:
    """Where the findings are that nothing allows."""
    return {str(one["where"]) for one in found if "where" in one and "allowed" not in one}
