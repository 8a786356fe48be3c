"""A spot request as DescribeSpotInstanceRequests shows it, and the filters on it: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local.filters import Getter, field
from local.launching import Specification
from local.spot import SpotRequest

PRODUCT = "Linux/UNIX"

SHOWN_OF_SPECIFICATION = (
    "EbsOptimized",
    "IamInstanceProfile",
    "ImageId",
    "InstanceType",
    "KernelId",
    "KeyName",
    "Placement",
    "RamdiskId",
    "SubnetId",
)

GETTERS: Mapping[str, Getter] = {
    "create-time": field("CreateTime"),
    "instance-id": field("InstanceId"),
    "launch.image-id": field("LaunchSpecification", "ImageId"),
    "launch.instance-type": field("LaunchSpecification", "InstanceType"),
    "launch.key-name": field("LaunchSpecification", "KeyName"),
    "launched-availability-zone": field("LaunchedAvailabilityZone"),
    "network-interface.subnet-id": field("LaunchSpecification", "SubnetId"),
    "product-description": field("ProductDescription"),
    "spot-instance-request-id": field("SpotInstanceRequestId"),
    "spot-price": field("SpotPrice"),
    "state": field("State"),
    "status-code": field("Status", "Code"),
    "status-message": field("Status", "Message"),
    "type": field("Type"),
}


def described(
    request: SpotRequest,
    specification: Specification,
    *,
    zone: str | None,
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """The entry; what has no value is left out."""
    entry = {
        "SpotInstanceRequestId": request.id,
        "CreateTime": request.created,
        "InstanceId": request.instance,
        "InstanceInterruptionBehavior": request.interruption,
        "LaunchSpecification": _shown(specification),
        "LaunchedAvailabilityZone": zone,
        "ProductDescription": PRODUCT,
        "SpotPrice": request.price,
        "State": request.state.value,
        "Status": {
            "Code": request.code,
            "Message": request.message,
            "UpdateTime": request.updated,
        },
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "Type": request.type.value,
    }
    return {name: value for name, value in entry.items() if value is not None}


def page(
    entries: Sequence[dict[str, Any]], *, token: str | None, size: int | None
) -> tuple[Sequence[dict[str, Any]], str | None]:
    """The entries after the one that the token names, and the next token."""
    names = [entry["SpotInstanceRequestId"] for entry in entries]
    start = 0 if token is None else names.index(token) + 1
    end = len(entries) if size is None else start + size
    return entries[start:end], names[end - 1] if end < len(entries) else None


def _shown(specification: Specification) -> dict[str, Any]:
    shown = {name: specification.get(name) for name in SHOWN_OF_SPECIFICATION}
    groups = [{"GroupId": group} for group in specification.get("SecurityGroupIds") or ()]
    groups += [{"GroupName": group} for group in specification.get("SecurityGroups") or ()]
    present = {name: value for name, value in shown.items() if value is not None}
    return {**present, "SecurityGroups": groups}
