"""Lambda functions, as a laptop looks at them."""

from __future__ import annotations

from typing import Any


def environment(client: Any, *, name: str) -> dict[str, str]:
    """A function's environment variables; raises botocore's ClientError or BotoCoreError."""
    answer = client.get_function_configuration(FunctionName=name)
    found: dict[str, str] = answer.get("Environment", {}).get("Variables", {})
    return found
