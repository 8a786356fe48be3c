"""What EC2 has to give: capacity and prices of each pool, and the account's limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fakes.ec2.machine import Pool

VCPUS = {"c7i.large": 2, "c7i.4xlarge": 16}
_SPOT_PRICE = 0.03
ICE = "InsufficientInstanceCapacity"


@dataclass
class Market:
    """`spare` machines in all, and in each of `pools` that is named; `on_demand` of those that are
    not spot. `spot_limit` counts spot instances, `vcpu_limit` vCPUs on demand; None = no limit.
    """

    spare: int = 10_000
    pools: dict[Pool, int] = field(default_factory=dict)
    on_demand: int = 10_000
    prices: dict[Pool, float] = field(default_factory=dict)
    spot_limit: int | None = None
    vcpu_limit: int | None = None

    def price(self, pool: Pool) -> float:
        """Dollars an hour of a spot instance."""
        return self.prices.get(pool, _SPOT_PRICE)

    def refusal(
        self, pool: Pool, *, spot: bool, most: float | None, used: Mapping[str, int]
    ) -> str:
        """EC2's error code for one more instance of the pool; "" = it can be had."""
        if not spot:
            vcpus = used["vcpus"] + VCPUS.get(pool[0], 2)
            if self.vcpu_limit is not None and vcpus > self.vcpu_limit:
                return "VcpuLimitExceeded"
            return "" if self.on_demand > 0 else ICE
        if most is not None and most < self.price(pool):
            return "SpotMaxPriceTooLow"
        if self.spot_limit is not None and used["spot"] >= self.spot_limit:
            return "MaxSpotInstanceCountExceeded"
        return "" if self.has(pool) else ICE

    def has(self, pool: Pool) -> bool:
        """Whether the pool has a spare spot machine."""
        return self.spare > 0 and self.pools.get(pool, 1) > 0

    def take(self, pool: Pool, *, spot: bool) -> None:
        """One machine less to be had."""
        if not spot:
            self.on_demand -= 1
            return
        self.spare -= 1
        if pool in self.pools:
            self.pools[pool] -= 1
