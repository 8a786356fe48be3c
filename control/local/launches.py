"""The three calls that launch: what each asks for, checked, and then done by `Cloud`."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from local import launching
from local.cloud import Cloud
from local.launching import Market, Specification, laid_over, shown_price, tagged
from local.machine import Machine
from local.rows import CloudError
from local.spot import SpotType

log = logging.getLogger(__name__)

Call = Mapping[str, Any]

# What of RunInstances is about the call, not about the instance.
CALL_ONLY = ("ClientToken", "DryRun", "LaunchTemplate", "MaxCount", "MinCount")
USER_DATA_LIMIT = 25_600  # of the base64 text, as EC2 counts it; 16 KiB of what is in it


class Templates(Protocol):
    """Where launch templates are kept."""

    def template(self, reference: Mapping[str, Any], *, region: str) -> Specification:
        """The data of a version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """One override of a fleet: what it launches, and how the answer names it."""

    specification: Specification
    override: Mapping[str, Any]
    entry: Mapping[str, Any]


class Launches:
    """Each call checks everything before it launches anything."""

    def __init__(self, cloud: Cloud, templates: Templates) -> None:
        self._cloud = cloud
        self._templates = templates

    def run(self, region: str, call: Call) -> list[Machine]:
        """RunInstances. MaxCount are launched: capacity never lacks here."""
        above = {name: value for name, value in call.items() if name not in CALL_ONLY}
        reference = call.get("LaunchTemplate")
        below = self._templates.template(reference, region=region) if reference else {}
        specification = laid_over(below, above)
        count = int(call.get("MaxCount", 1))
        if not 1 <= int(call.get("MinCount", 1)) <= count:
            raise CloudError("InvalidParameterValue", f"MaxCount {count} is less than MinCount.")
        _check([specification], call)
        return self._cloud.launch(
            region,
            specification,
            market=launching.market_of(specification),
            count=count,
            token=call.get("ClientToken"),
        )

    def request_spot(self, region: str, call: Call) -> list[Machine]:
        """RequestSpotInstances. Its tags are the requests', never the instances'."""
        tags = {"TagSpecifications": call.get("TagSpecifications", [])}
        specification = laid_over(tags, call.get("LaunchSpecification", {}))
        _check([specification], call)
        market = Market(
            type=SpotType(call.get("Type") or SpotType.ONE_TIME),
            price=shown_price(call.get("SpotPrice")),
            interruption=call.get("InstanceInterruptionBehavior") or "terminate",
        )
        count = int(call.get("InstanceCount") or 1)
        return self._cloud.launch(region, specification, market=market, count=count)

    def fleet(self, region: str, call: Call) -> dict[str, Any]:
        """CreateFleet of type instant. The first pool that can be launched gets all."""
        if call.get("Type") != "instant":
            raise CloudError("UnsupportedOperation", "The local EC2 makes instant fleets only.")
        fleet = f"fleet-{secrets.token_hex(16)}"
        configs = call.get("LaunchTemplateConfigs") or []
        marks = tagged("instance", {"aws:ec2:fleet-id": fleet})
        tags = laid_over({"TagSpecifications": call.get("TagSpecifications", [])}, marks)
        pools = [
            self._pool(region, config, override, tags)
            for config, override in launching.pools(configs)
        ]
        _check([pool.specification for pool in pools], call)
        answer: dict[str, Any] = {"FleetId": fleet, "Errors": [], "Instances": []}
        for life_cycle, target in launching.targets(call["TargetCapacitySpecification"]).items():
            if target:
                self._fill(region, call, pools, answer, life_cycle=life_cycle, target=target)
        return answer

    def _pool(
        self, region: str, config: Call, override: Mapping[str, Any], tags: Specification
    ) -> Pool:
        reference = config["LaunchTemplateSpecification"]
        template = self._templates.template(reference, region=region)
        return Pool(
            specification=laid_over(launching.over_template(template, override), tags),
            override=override,
            entry={
                "LaunchTemplateSpecification": dict(reference),
                "Overrides": dict(override),
            },
        )

    def _fill(
        self,
        region: str,
        call: Call,
        pools: list[Pool],
        answer: dict[str, Any],
        *,
        life_cycle: str,
        target: int,
    ) -> None:
        for pool in pools:
            entry = {"LaunchTemplateAndOverrides": pool.entry, "Lifecycle": life_cycle}
            try:
                machines = self._cloud.launch(
                    region,
                    pool.specification,
                    market=_fleet_market(call, pool) if life_cycle == "spot" else None,
                    count=launching.count_of(target, pool.override),
                )
            except CloudError as error:
                # This pool is not valid: the answer says so, and the next one is tried.
                log.warning("a fleet's pool is refused: %s", error)
                answer["Errors"].append(
                    {**entry, "ErrorCode": error.code, "ErrorMessage": str(error)}
                )
                continue
            answer["Instances"].append({**entry, **_launched(machines)})
            return


def _fleet_market(call: Call, pool: Pool) -> Market:
    options = call.get("SpotOptions") or {}
    return Market(
        price=shown_price(pool.override.get("MaxPrice")),
        interruption=options.get("InstanceInterruptionBehavior") or "terminate",
    )


def _launched(machines: list[Machine]) -> dict[str, Any]:
    ids = [machine.id for machine in machines]
    return {"InstanceIds": ids, "InstanceType": machines[0].identity.type}


def _check(specifications: list[Specification], call: Call) -> None:
    """What EC2 refuses before it launches anything; a dry run ends here."""
    for specification in specifications:
        if not specification.get("ImageId"):
            message = "The request must contain the parameter ImageId"
            raise CloudError("MissingParameter", message)
        if len(str(specification.get("UserData") or "")) > USER_DATA_LIMIT:
            raise CloudError("InvalidParameterValue", "User data is limited to 16384 bytes")
    if call.get("DryRun"):
        message = "Request would have succeeded, but DryRun flag is set."
        raise CloudError("DryRunOperation", message)
