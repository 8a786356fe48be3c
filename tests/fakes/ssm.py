"""SSM's parameters in memory, as boto3's client shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


class ParameterNotFound(Exception):
    """There is none of this name."""


@dataclass
class FakeSsm:
    """Parameters by name."""

    values: dict[str, str] = field(default_factory=dict)
    exceptions = SimpleNamespace(ParameterNotFound=ParameterNotFound)

    def get_parameter(self, *, Name: str) -> dict[str, Any]:  # noqa: N803
        if Name not in self.values:
            raise ParameterNotFound(Name)
        return {"Parameter": {"Value": self.values[Name]}}
