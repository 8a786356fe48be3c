"""The launch that is none: what it asks for, and what EC2's answer means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_parallelizer.aws.identity import Denial
from aws_parallelizer.aws.survey import DryRun
from aws_parallelizer.cli.doctor.finding import Finding, failed, not_checked, ok, warning
from aws_parallelizer.core.launch_data import MAKE_SPOT_ROLE
from aws_parallelizer.core.parameters import Parameters

_WHO = "these credentials may not launch; the stack launches by its own role"


def arguments(
    parameters: Parameters, data: Mapping[str, Any], *, kind: str, subnet: str
) -> dict[str, Any]:
    """RunInstances as the control plane would ask for one spot instance."""
    price = {"MaxPrice": f"{parameters.max_price:.6f}"} if parameters.max_price else {}
    persistent = parameters.spot_type == "persistent"
    interruption = parameters.shutdown_behavior if persistent else "terminate"
    return {
        **data,
        "MinCount": 1,
        "MaxCount": 1,
        "InstanceType": kind,
        "SubnetId": subnet,
        "InstanceMarketOptions": {
            "MarketType": "spot",
            "SpotOptions": {
                "SpotInstanceType": parameters.spot_type,
                "InstanceInterruptionBehavior": interruption,
                **price,
            },
        },
    }


def verdict(answer: DryRun, denial: Denial | None, *, pool: str) -> Finding:
    """What EC2 said to a dry run in a pool (type and subnet)."""
    match answer.code:
        case "DryRunOperation":
            return ok(
                "launch", f"EC2 would launch {pool}; whether it has spare machines shows then"
            )
        case "UnauthorizedOperation":
            return _unauthorized(denial)
        case "Launched":
            cause = f"The endpoint took a dry run for a launch and started {answer.message}."
            return failed("launch", cause, "Terminate it. AWS does no such thing.")
        case "AuthFailure.ServiceLinkedRoleCreationNotPermitted":
            return failed("launch", answer.message, f"Run once: {MAKE_SPOT_ROLE}")
    cause = f"EC2 would refuse {pool}: {answer.code}: {answer.message}"
    return failed("launch", cause, "Mend what it names.")


def _unauthorized(denial: Denial | None) -> Finding:
    if denial is None:
        return not_checked("launch", _WHO)
    what = f"{denial.action} on {denial.resource}"
    if not denial.explicit:
        return not_checked("launch", f"{_WHO} (no policy allows {what})")
    cause = f"A policy denies you {what}; one of your organization's would deny it to the stack."
    return warning("launch", cause, "Ask who sets the policies.")
