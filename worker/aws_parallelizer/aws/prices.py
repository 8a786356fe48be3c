"""What instances cost an hour, as AWS says: spot by history, on-demand by list.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html
https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from aws_parallelizer.core.money import Change, Pool

PRICING_REGION = "us-east-1"  # the price list has endpoints in few regions, and says all prices
_TYPES = 100  # instance types a call
_PRODUCT = "Linux/UNIX"
_LIST_FILTERS = {
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "tenancy": "Shared",
    "capacitystatus": "Used",
}


def spot_history(
    client: Any, types: Collection[str], *, since: datetime, now: datetime
) -> dict[Pool, list[Change]]:
    """The spot prices of the types in all zones from `since` to `now`, in the order of time, with
    the one that was in effect at `since`; raises what botocore raises.
    """
    found: dict[Pool, set[Change]] = {}
    paginator = client.get_paginator("describe_spot_price_history")
    ordered = sorted(types)
    for start in range(0, len(ordered), _TYPES):
        pages = paginator.paginate(
            InstanceTypes=ordered[start : start + _TYPES],
            ProductDescriptions=[_PRODUCT],
            StartTime=since,
            EndTime=now,
            PaginationConfig={"PageSize": 1000},
        )
        for entry in (entry for page in pages for entry in page["SpotPriceHistory"]):
            pool = Pool(entry["InstanceType"], entry["AvailabilityZone"])
            change = Change(int(entry["Timestamp"].timestamp()), float(entry["SpotPrice"]))
            found.setdefault(pool, set()).add(change)
    return {pool: sorted(changes) for pool, changes in found.items()}


def on_demand(client: Any, *, region: str) -> dict[str, float]:
    """Dollars an hour on demand of each instance type of the region, Linux on shared hardware;
    `client` is one of `pricing` in PRICING_REGION. Raises what botocore raises.
    """
    wanted = {**_LIST_FILTERS, "regionCode": region}
    pages = client.get_paginator("get_products").paginate(
        ServiceCode="AmazonEC2",
        Filters=[
            {"Type": "TERM_MATCH", "Field": field, "Value": value}
            for field, value in wanted.items()
        ],
    )
    found: dict[str, float] = {}
    for text in (text for page in pages for text in page["PriceList"]):
        product = json.loads(text)
        name = product["product"]["attributes"].get("instanceType", "")
        for hourly in _hourly(product):
            # Where a type is listed more than once, the dearer one: a budget must hold.
            found[name] = max(hourly, found.get(name, 0.0))
    found.pop("", None)
    return found


def _hourly(product: Mapping[str, Any]) -> Iterator[float]:
    """What an hour costs; nothing for what is free there, such as capacity that was paid before."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            dollars = float(dimension["pricePerUnit"].get("USD", 0))
            if dimension["unit"] == "Hrs" and dollars > 0:
                yield dollars
