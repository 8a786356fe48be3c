"""Log groups of functions: Lambda makes them by itself, and deletes none."""

from __future__ import annotations

from typing import Any


class LogGroups:
    """The gateway. Every method raises botocore's ClientError or BotoCoreError."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def names(self, *, prefix: str) -> list[str]:
        """The log groups whose names begin so."""
        pages = self._client.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix=prefix
        )
        return [entry["logGroupName"] for page in pages for entry in page["logGroups"]]

    def remove(self, name: str) -> None:
        """Delete one with all that is in it; harmless where it is gone."""
        try:
            self._client.delete_log_group(logGroupName=name)
        except self._client.exceptions.ResourceNotFoundException:
            return
