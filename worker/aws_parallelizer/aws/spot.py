"""The spot request behind an instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_parallelizer.core.errors import NotFound

GONE = ("cancelled", "closed", "failed")  # states in which a request starts no instance any more


class SpotRequests:
    """Raises botocore's ClientError or BotoCoreError, and NotFound for an empty answer."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def persistent_request_of(self, instance: str) -> str | None:
        """The id of the persistent request that the instance belongs to, None if there is none."""
        answer = self._client.describe_instances(InstanceIds=[instance])
        described = [each for group in answer["Reservations"] for each in group["Instances"]]
        request = _only(described, instance).get("SpotInstanceRequestId")
        if not request:
            return None
        persistent = self._describe(request)["Type"] == "persistent"
        return str(request) if persistent else None

    def cancel(self, request: str) -> None:
        """Ask for the end of the request; its instance runs on."""
        self._client.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])

    def state(self, request: str) -> str:
        """EC2's word: open, active, disabled, or one of GONE."""
        return str(self._describe(request)["State"])

    def _describe(self, request: str) -> dict[str, Any]:
        answer = self._client.describe_spot_instance_requests(SpotInstanceRequestIds=[request])
        return _only(answer["SpotInstanceRequests"], request)


def _only(described: Sequence[dict[str, Any]], wanted: str) -> dict[str, Any]:
    if len(described) != 1:
        raise NotFound(f"EC2 describes {len(described)} of {wanted}")
    return described[0]
