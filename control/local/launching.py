"""What a launch call asks for, pure: template, override and call laid over each other, and the
launches they make.

A specification is a mapping with the names of EC2's RequestLaunchTemplateData; RunInstances,
launch templates and RequestSpotInstances all use them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.spot import SpotType

Specification = Mapping[str, Any]
Tags = Mapping[str, str]

# The tag by which the control plane marks an instance; such a one gets a body.
JOB_TAG = "parallelizer:job"

# EC2 shows the on-demand price, which is not known here, for a request that names none.
NOMINAL_PRICE = "0.100000"

OVERRIDDEN = ("ImageId", "InstanceType", "SubnetId", "Placement")


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """How a spot instance is asked for."""

    type: SpotType = SpotType.ONE_TIME
    price: str = NOMINAL_PRICE
    interruption: str = "terminate"


def laid_over(below: Specification, above: Specification) -> Specification:
    """Each name from above, or else from below; of tags, each key."""
    merged = {**below, **{name: value for name, value in above.items() if value is not None}}
    tags = tag_specifications(
        [*below.get("TagSpecifications", ()), *above.get("TagSpecifications", ())]
    )
    return {**merged, "TagSpecifications": tags} if tags else merged


def tag_specifications(specifications: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One entry a resource type; of two values of a key the later."""
    merged: dict[str, dict[str, str]] = {}
    for specification in specifications:
        tags = merged.setdefault(specification["ResourceType"], {})
        tags.update({tag["Key"]: tag["Value"] for tag in specification.get("Tags", ())})
    return [tagged(kind, tags)["TagSpecifications"][0] for kind, tags in merged.items()]


def tags_of(specification: Specification, kind: str) -> dict[str, str]:
    """The tags for one type of resource."""
    return {
        tag["Key"]: tag["Value"]
        for entry in specification.get("TagSpecifications", ())
        if entry["ResourceType"] == kind
        for tag in entry["Tags"]
    }


def tagged(kind: str, tags: Tags) -> Specification:
    """A specification that says no more than these tags."""
    entries = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": entries}]}


def without_instance_tags(specification: Specification) -> Specification:
    """For a replacement: EC2 gives the tags of the first instance to that one only."""
    kept = [
        entry
        for entry in specification.get("TagSpecifications", ())
        if entry["ResourceType"] != "instance"
    ]
    return {**specification, "TagSpecifications": kept}


def market_of(specification: Specification) -> Market | None:
    """The spot market options of RunInstances or of a template; None = on demand."""
    options = specification.get("InstanceMarketOptions") or {}
    if options.get("MarketType") != "spot":
        return None
    spot = options.get("SpotOptions") or {}
    return Market(
        type=SpotType(spot.get("SpotInstanceType") or SpotType.ONE_TIME),
        price=shown_price(spot.get("MaxPrice")),
        interruption=spot.get("InstanceInterruptionBehavior") or "terminate",
    )


def shown_price(price: str | None) -> str:
    """As EC2 shows it: dollars with six digits."""
    return NOMINAL_PRICE if price is None else f"{float(price):.6f}"


def over_template(template: Specification, override: Mapping[str, Any]) -> Specification:
    """A fleet's override laid over its template."""
    above = {name: override.get(name) for name in OVERRIDDEN}
    if override.get("AvailabilityZone"):
        above["Placement"] = {"AvailabilityZone": override["AvailabilityZone"]}
    return laid_over(template, above)


def pools(configs: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Specification]]:
    """A fleet's (configuration, override) pairs. Capacity never lacks here, so that the first valid
    pool gets all that is asked for, whatever the allocation strategy."""
    return [(config, one) for config in configs for one in config.get("Overrides") or [{}]]


def targets(capacity: Mapping[str, Any]) -> dict[str, int]:
    """Capacity by life cycle; what a fleet names for neither is of the default type."""
    spot = capacity.get("SpotTargetCapacity") or 0
    on_demand = capacity.get("OnDemandTargetCapacity") or 0
    rest = max(0, capacity.get("TotalTargetCapacity", 0) - spot - on_demand)
    if capacity.get("DefaultTargetCapacityType") == "spot":
        return {"spot": spot + rest, "on-demand": on_demand}
    return {"spot": spot, "on-demand": on_demand + rest}


def count_of(target: int, override: Mapping[str, Any]) -> int:
    """How many instances of an override make up the capacity."""
    return math.ceil(target / float(override.get("WeightedCapacity") or 1))
