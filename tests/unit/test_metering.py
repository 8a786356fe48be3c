"""Prices are asked for once a run, and what a price list says is read right."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from aws_parallelizer.aws import prices
from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.core.fleet import Instance
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.core.spending import PriceList, Spending
from chalicelib.metering import Meter
from fakes.ec2 import FakeEc2
from fakes.table import FakeTable

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


def job(name: str, *types: str) -> Job:
    given = Parameters(
        environment_zip="e.zip", analysis_program="run.sh", instance_type=types or None
    )
    return Job(name=name, parameters=given, created=T0)


def machine(id_: str, *, type_: str = "c7i.large", spot: bool = True) -> Instance:
    return Instance(id=id_, type=type_, zone="us-east-1a", state="running", launched=T0, spot=spot)


@dataclass
class Run:
    """A run of reconcile, an hour after T0, on the fake EC2."""

    ec2: FakeEc2 = field(default_factory=lambda: FakeEc2(now=T0 + timedelta(hours=1)))
    registry: Registry = field(default_factory=lambda: Registry(cast("Any", FakeTable())))

    def meter(self, *jobs: Job) -> Meter:
        return Meter(self.ec2, self.registry, lambda: self.ec2.now, jobs)

    @property
    def asked(self) -> list[dict[str, Any]]:
        return self.ec2.made("describe_spot_price_history")


def test_prices_are_asked_for_once_for_all_jobs_of_a_run() -> None:
    run, jobs = Run(), [job("a", "c7i.large"), job("b", "c7i.4xlarge")]
    meter = run.meter(*jobs)
    one = meter.count(Spending(), [machine("i-1")], job=jobs[0])
    two = meter.count(Spending(), [machine("i-2", type_="c7i.4xlarge")], job=jobs[1])
    assert (one.dollars, two.dollars) == (pytest.approx(0.03), pytest.approx(0.03))
    [call] = run.asked
    assert call["InstanceTypes"] == ["c7i.4xlarge", "c7i.large"]
    assert call["ProductDescriptions"] == ["Linux/UNIX"]
    assert (call["StartTime"], call["EndTime"]) == (T0, run.ec2.now)


def test_where_nothing_runs_no_price_is_asked_for() -> None:
    run = Run()
    spending = run.meter(job("a")).count(Spending(), [], job=job("a"))
    assert (run.asked, spending.dollars, spending.hourly) == ([], 0, 0)


def test_a_type_that_no_job_names_is_asked_for_too() -> None:
    run, mine = Run(), job("a", "c7i.large")
    meter = run.meter(mine)
    meter.count(Spending(), [machine("i-1")], job=mine)
    adopted = meter.count(Spending(), [machine("i-2", type_="c7i.4xlarge")], job=mine)
    assert adopted.unpriced == ()
    assert [call["InstanceTypes"] for call in run.asked] == [["c7i.large"], ["c7i.4xlarge"]]


def test_a_history_of_many_pages_is_read_whole() -> None:
    run = Run()
    run.ec2.page_size = 1
    found = prices.spot_history(run.ec2, ["c7i.large", "c7i.4xlarge"], since=T0, now=run.ec2.now)
    assert len(found) == 4


def test_prices_that_cannot_be_read_are_asked_for_once_and_counted_by_the_next_run() -> None:
    run, mine = Run(), job("a", "c7i.large")
    run.ec2.refusals["describe_spot_price_history"] = (503, "RequestLimitExceeded")
    meter = run.meter(mine)
    first = meter.count(Spending(), [machine("i-1")], job=mine)
    meter.count(Spending(), [machine("i-2")], job=mine)
    assert (first.dollars, first.hourly, len(run.asked)) == (0, None, 1)
    run.ec2.refusals.clear()
    later = run.meter(mine).count(first, [machine("i-1")], job=mine)
    assert later.dollars == pytest.approx(0.03)
    assert later.unpriced == ()


def test_on_demand_instances_cost_what_the_stored_list_says() -> None:
    run, mine = Run(), job("a")
    run.registry.put_prices(PriceList(region="us-east-1", read=T0, on_demand={"c7i.large": 0.1}))
    counted = run.meter(mine).count(Spending(), [machine("i-1", spot=False)], job=mine)
    assert counted.dollars == pytest.approx(0.1)
    assert run.asked == []


def test_without_a_stored_list_on_demand_instances_are_named() -> None:
    mine = job("a")
    counted = Run().meter(mine).count(Spending(), [machine("i-1", spot=False)], job=mine)
    assert (counted.unpriced, counted.dollars) == (("c7i.large",), 0)


def test_a_later_list_takes_the_place_of_the_earlier_one() -> None:
    registry = Run().registry
    assert registry.prices() is None
    for dollars in (0.1, 0.2):
        registry.put_prices(PriceList(region="r", read=T0, on_demand={"c7i.large": dollars}))
    found = registry.prices()
    assert found
    assert found.on_demand == {"c7i.large": 0.2}


@dataclass
class PriceListApi:
    """`pricing`, with one page a product."""

    products: list[dict[str, Any]]
    asked: list[dict[str, Any]] = field(default_factory=list)

    def get_paginator(self, operation: str) -> PriceListApi:
        assert operation == "get_products"
        return self

    def paginate(self, **given: Any) -> list[dict[str, Any]]:
        self.asked.append(given)
        return [{"PriceList": [json.dumps(product)]} for product in self.products]


def product(kind: str, usd: str, unit: str = "Hrs") -> dict[str, Any]:
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}}
    return {
        "product": {"attributes": {"instanceType": kind}},
        "terms": {"OnDemand": {"X.Y": {"priceDimensions": {"X.Y.Z": dimension}}}},
    }


def test_the_price_list_is_read_for_the_region_and_for_linux_on_shared_hardware() -> None:
    api = PriceListApi([product("c7i.large", "0.0892500000"), product("m5.large", "0.096")])
    found = prices.on_demand(api, region="eu-central-1")
    assert found == {"c7i.large": 0.08925, "m5.large": 0.096}
    [asked] = api.asked
    assert asked["ServiceCode"] == "AmazonEC2"
    filters = {each["Field"]: each["Value"] for each in asked["Filters"]}
    assert filters == {
        "regionCode": "eu-central-1",
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }


def test_what_is_free_in_the_price_list_is_no_price_and_the_dearer_of_two_counts() -> None:
    listed = [
        product("c7i.large", "0.0000000000"),
        product("c7i.large", "0.09"),
        product("c7i.large", "0.10"),
        product("p5.48xlarge", "0"),
        product("m5.large", "5.0", unit="Quantity"),
        {"product": {"attributes": {}}, "terms": {}},
    ]
    assert prices.on_demand(PriceListApi(listed), region="r") == {"c7i.large": 0.10}


@pytest.mark.parametrize(
    ("reason", "ended"),
    [
        ("User initiated (2026-03-01 12:30:00 GMT)", T0 + timedelta(minutes=30)),
        ("User initiated (2026-03-01 11:00:00 GMT)", None),  # of an earlier stop
        ("User initiated (2026-13-77 12:30:00 GMT)", None),
        ("Server.SpotInstanceTermination", None),
        ("", None),
    ],
)
def test_an_instance_tells_when_it_ended_where_ec2_says_so(
    reason: str, ended: datetime | None
) -> None:
    class Client:
        def get_paginator(self, _: str) -> Client:
            return self

        def paginate(self, **_: Any) -> list[dict[str, Any]]:
            entry = {
                "InstanceId": "i-1",
                "InstanceType": "c7i.large",
                "State": {"Name": "stopped"},
                "LaunchTime": T0,
                "StateTransitionReason": reason,
            }
            return [{"Reservations": [{"Instances": [entry]}]}]

    [found] = Ec2(Client(), launcher=None).instances({"tag:a": ["b"]})
    assert found.ended == ended
