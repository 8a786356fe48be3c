"""CreateFleet and RunInstances: by client token once, pool by pool, as far as there is capacity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fakes.ec2.life import Life
from fakes.ec2.machine import Entry, Pool, Tags, mapping
from fakes.faults import refused
from local.spot import SpotType

Answer = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What each instance of a launch is to be."""

    tags: dict[str, Tags]
    kind: SpotType | None  # None = on demand
    interruption: str = "terminate"


@dataclass
class Launching(Life):
    """`gives_on_demand`: spot instances are asked for and on-demand ones given."""

    image: str = "ami-1"
    gives_on_demand: bool = False
    templates: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)
    tokens: dict[str, tuple[str, Answer]] = field(default_factory=dict)

    def _create_fleet(self, arguments: Answer) -> Answer:
        [config] = arguments["LaunchTemplateConfigs"]
        capacity = arguments["TargetCapacitySpecification"]
        spot = capacity["DefaultTargetCapacityType"] == "spot"
        order = self._order(arguments, SpotType.ONE_TIME if spot else None)
        self._check_template(config["LaunchTemplateSpecification"])
        missing, ids, errors = capacity["TotalTargetCapacity"], [], []
        for override in sorted(config["Overrides"], key=lambda each: self._price(each, spot=spot)):
            got, code = self._take(_pool(override), missing, order, most=_most(override))
            missing -= len(got)
            ids += [(override, got)] if got else []
            if code:
                said = self._said(code, _pool(override), _most(override))
                errors.append(_error(override, code, said, "spot" if spot else "on-demand"))
            if not missing:
                break
        return {
            "FleetId": f"fleet-{next(self._numbers)}",
            "Instances": [_launched(override, got, spot=spot) for override, got in ids],
            "Errors": errors,
        }

    def _run_instances(self, arguments: Answer) -> Answer:
        options = arguments.get("InstanceMarketOptions", {}).get("SpotOptions")
        kind = SpotType(options["SpotInstanceType"]) if options else None
        interruption = (options or {}).get("InstanceInterruptionBehavior", "terminate")
        self._check_template(arguments["LaunchTemplate"])
        order = self._order(arguments, kind, interruption=interruption)
        pool, most = _pool(arguments), _most(options or {})
        can = self._can(pool, arguments["MinCount"], order, most=most)
        if can:
            status = 500 if can.startswith("Insuff") else 400
            raise refused(can, "run_instances", status=status, said=self._said(can, pool, most))
        ids, _ = self._take(pool, arguments["MaxCount"], order, most=most)
        return {"Instances": [{"InstanceId": id_} for id_ in ids]}

    def _once(self, operation: str, arguments: Answer) -> Answer:
        """The answer to this client token's launch, which is made if there was none."""
        if arguments.get("DryRun"):
            raise refused("DryRunOperation", operation, status=412)
        token, said = arguments.get("ClientToken", ""), repr(arguments)
        known, answer = self.tokens.get(token, (said, None))
        if known != said:
            raise refused("IdempotentParameterMismatch", operation)
        if answer is None:
            launch = self._create_fleet if operation == "create_fleet" else self._run_instances
            answer = launch(arguments)
            if token:
                self.tokens[token] = said, answer
        return answer

    def _take(
        self, pool: Pool, count: int, order: Order, *, most: float | None
    ) -> tuple[list[str], str]:
        """(ids of up to `count` new instances, why there are not more)."""
        ids: list[str] = []
        while len(ids) < count:
            code = self._refusal(pool, order, most)
            if code:
                return ids, code
            ids.append(self._launch_one(pool, order))
        return ids, ""

    def _launch_one(self, pool: Pool, order: Order) -> str:
        tags = order.tags.get("instance", {})
        if order.kind is None or self.gives_on_demand:
            self.market.take(pool, spot=False)
            machine = self._machine(tags, pool=pool, spot_=False)
            machine.misgiven = order.kind is not None
            return machine.id
        own = order.tags.get("spot-instances-request", {})
        request = self._ask(order.kind, pool, own, interruption=order.interruption)
        return self._fulfil(request, tags).id

    def _refusal(self, pool: Pool, order: Order, most: float | None) -> str:
        return self.market.refusal(pool, spot=order.kind is not None, most=most, used=self._used)

    def _can(self, pool: Pool, count: int, order: Order, *, most: float | None) -> str:
        """Why not so many can be had; "" = they can."""
        spare = min(self.market.spare, self.market.pools.get(pool, count))
        short = order.kind is not None and spare < count
        return self._refusal(pool, order, most) or ("InsufficientInstanceCapacity" if short else "")

    def _said(self, code: str, pool: Pool, most: float | None) -> str:
        if code == "SpotMaxPriceTooLow":
            return (
                f"Your Spot request price of {most:g} is lower than the minimum required Spot "
                f"request fulfillment price of {self.market.price(pool):g}."
            )
        return f"{code} it is"

    def _order(
        self, arguments: Answer, kind: SpotType | None, *, interruption: str = "terminate"
    ) -> Order:
        given = arguments.get("TagSpecifications", [])
        tags = {each["ResourceType"]: mapping(each["Tags"]) for each in given}
        return Order(tags=tags, kind=kind, interruption=interruption)

    def _check_template(self, named: Entry) -> None:
        name = str(named["LaunchTemplateId"]).removeprefix("lt-")
        if name not in self.templates:
            raise refused("InvalidLaunchTemplateId.NotFound", "launch")
        version = int(named["Version"]) - 1
        if self.templates[name][version][1]["ImageId"] != self.image:
            raise refused("InvalidAMIID.NotFound", "launch")

    def _price(self, override: Entry, *, spot: bool) -> float:
        return self.market.price(_pool(override)) if spot else 0.0


def _pool(named: Entry) -> Pool:
    return named["InstanceType"], named["SubnetId"]


def _most(named: Entry) -> float | None:
    return float(named["MaxPrice"]) if "MaxPrice" in named else None


def _launched(override: Entry, ids: Sequence[str], *, spot: bool) -> Entry:
    return {
        "LaunchTemplateAndOverrides": {"Overrides": override},
        "Lifecycle": "spot" if spot else "on-demand",
        "InstanceIds": list(ids),
        "InstanceType": override["InstanceType"],
    }


def _error(override: Entry, code: str, said: str, lifecycle: str) -> Entry:
    return {
        "LaunchTemplateAndOverrides": {"Overrides": override},
        "Lifecycle": lifecycle,
        "ErrorCode": code,
        "ErrorMessage": said,
    }
