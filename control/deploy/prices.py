"""Stores the region's on-demand prices where the control plane reads them.

The price list knows no permissions by resource, so the control plane's roles may not ask for it;
whoever deploys may.
"""

from __future__ import annotations

from datetime import UTC, datetime

from aws_parallelizer.aws import clients, prices
from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.core.spending import PriceList
from deploy.commands import Say


def publish(table: str, *, say: Say) -> None:
    """Read the prices with the deployer's credentials and put them in the ledger's table. Where
    they cannot be read, those of an earlier deploy stay; raises what the table raises.
    """
    region = str(clients.session().region_name)
    try:
        client = clients.client("pricing", region=prices.PRICING_REGION, attempts=2)
        found = prices.on_demand(client, region=region)
    except CALL_FAILED as error:
        say(f"the on-demand prices could not be read ({error}). {_WITHOUT}")
        return
    if not found:
        say(f"the price list has no on-demand prices for {region}. {_WITHOUT}")
        return
    store(table, found, region=region)
    say(f"on-demand prices of {len(found)} instance types stored")


def store(table: str, on_demand: dict[str, float], *, region: str) -> None:
    """Put prices in the ledger's table; raises what the table raises."""
    registry = Registry(Table(clients.client("dynamodb"), name=table))
    registry.put_prices(PriceList(region=region, read=datetime.now(UTC), on_demand=on_demand))


_WITHOUT = (
    "Without them the cost of on-demand instances is not known, and a job with a budget launches "
    "none; spot is not concerned. Whoever may call pricing:GetProducts can deploy again."
)
