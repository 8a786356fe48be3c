"""How many virtual CPUs an account may run at once."""

from __future__ import annotations

from typing import Any

SPOT_STANDARD = "L-34B43A08"  # All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests
ON_DEMAND_STANDARD = "L-1216C47A"  # Running On-Demand Standard (A, C, D, H, I, M, R, T, Z)


def vcpus(client: Any, *, code: str) -> int:
    """The account's quota in this region, AWS's default where it has none of its own; raises what
    botocore raises.
    """
    try:
        answer = client.get_service_quota(ServiceCode="ec2", QuotaCode=code)
    except client.exceptions.NoSuchResourceException:
        answer = client.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=code)
    return int(answer["Quota"]["Value"])
