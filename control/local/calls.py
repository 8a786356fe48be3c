"""A record of the calls that change something, with their parameters: what EC2 was asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

READING = ("Describe", "Get", "List")


class Calls:
    """JSON lines {"action", "region", "parameters"} in a file, in the order of the calls."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.unlink(missing_ok=True)

    def add(self, action: str, *, region: str, parameters: Mapping[str, Any]) -> None:
        """Write one down, unless it only reads."""
        if action.startswith(READING):
            return
        line = json.dumps(
            {"action": action, "region": region, "parameters": parameters}, default=str
        )
        with self._lock, self._path.open("a") as file:
            file.write(f"{line}\n")
