"""doctor on subnets, their ways out, and security groups."""

from __future__ import annotations

import pytest

from aws_parallelizer.aws.ec2_setup import Subnet
from aws_parallelizer.aws.survey import Egress, Endpoint, Group, RouteTable
from aws_parallelizer.cli.doctor import network
from aws_parallelizer.cli.doctor.finding import Verdict

ONE = Subnet("subnet-1", "vpc-1", "a", 100, public=True)
TWO = Subnet("subnet-2", "vpc-1", "b", 100, public=True)
MAIN = RouteTable("rtb-main", main=True, subnets=(), internet="igw-1")
ALL = ("s3", "sqs", "dynamodb", "ec2")


@pytest.mark.parametrize(
    ("subnets", "verdict", "says"),
    [
        ([ONE, TWO], Verdict.OK, "200 free addresses"),
        ([ONE, TWO._replace(vpc="vpc-2")], Verdict.FAILED, "2 VPCs: vpc-1, vpc-2"),
        ([ONE._replace(free_addresses=0)], Verdict.FAILED, "No subnet has a free address"),
        ([ONE, TWO._replace(free_addresses=0)], Verdict.WARNING, "subnet-2 have no free"),
        ([ONE, TWO._replace(free_addresses=19)], Verdict.WARNING, "for up to 120 instances"),
        ([ONE._replace(free_addresses=120)], Verdict.WARNING, "choice"),
    ],
)
def test_subnets_are_to_have_room_in_one_vpc(
    subnets: list[Subnet], verdict: Verdict, says: str
) -> None:
    found = network.subnets(subnets, instances=120)
    assert found.verdict is verdict
    assert says in found.cause


def ways(
    table: RouteTable, *endpoints: Endpoint, subnet: Subnet = ONE, aws: bool = True
) -> tuple[Verdict, str]:
    found = network.ways([subnet], [table], endpoints, aws=aws)
    return found.verdict, found.cause


def test_a_public_subnet_and_one_behind_nat_reach_all() -> None:
    assert ways(MAIN)[0] is Verdict.OK
    nat = MAIN._replace(internet="nat-1")
    assert ways(nat, subnet=ONE._replace(public=False))[0] is Verdict.OK


def test_a_gateway_without_public_addresses_leads_nowhere() -> None:
    verdict, cause = ways(MAIN, subnet=ONE._replace(public=False))
    assert verdict is Verdict.WARNING
    assert "subnet-1 gives no public address" in cause


def test_endpoints_serve_a_subnet_that_has_no_way_out() -> None:
    closed = MAIN._replace(internet="")
    interfaces = [Endpoint(service, ()) for service in ALL]
    assert ways(closed, *interfaces)[0] is Verdict.OK
    verdict, cause = ways(closed, *interfaces[2:])
    assert verdict is Verdict.WARNING
    assert "no route to the internet, nor endpoints for s3, sqs" in cause


def test_a_gateway_endpoint_counts_only_in_its_route_table() -> None:
    closed = MAIN._replace(internet="")
    others = [Endpoint(service, ()) for service in ALL[1:]]
    assert ways(closed, Endpoint("s3", ("rtb-main",)), *others)[0] is Verdict.OK
    assert ways(closed, Endpoint("s3", ("rtb-other",)), *others)[0] is Verdict.WARNING


def test_a_subnets_own_route_table_goes_before_the_main_one() -> None:
    own = RouteTable("rtb-own", main=False, subnets=("subnet-1",), internet="")
    found = network.ways([ONE, TWO], [MAIN, own], [], aws=True)
    assert found.verdict is Verdict.WARNING
    assert "subnet-1" in found.cause
    assert "subnet-2" not in found.cause


def test_an_emulator_has_no_ways_to_check() -> None:
    assert ways(MAIN, aws=False)[0] is Verdict.NOT_CHECKED


@pytest.mark.parametrize(
    ("egress", "verdict"),
    [
        (Egress("-1", -1, -1, ("0.0.0.0/0",)), Verdict.OK),
        (Egress("tcp", 443, 443, ("0.0.0.0/0",)), Verdict.OK),
        (Egress("6", 0, 65535, ("::/0",)), Verdict.OK),
        (Egress("tcp", 443, 443, ("pl-123",)), Verdict.WARNING),
        (Egress("-1", -1, -1, ("10.0.0.0/8",)), Verdict.WARNING),
        (Egress("tcp", 80, 80, ("0.0.0.0/0",)), Verdict.FAILED),
        (Egress("udp", 443, 443, ("0.0.0.0/0",)), Verdict.FAILED),
    ],
)
def test_security_groups_are_to_let_https_out(egress: Egress, verdict: Verdict) -> None:
    assert network.groups([Group("sg-1", "vpc-1", (egress,))], vpc="vpc-1").verdict is verdict


def test_the_rules_of_several_groups_add_up() -> None:
    closed = Group("sg-1", "vpc-1", ())
    open_ = Group("sg-2", "vpc-1", (Egress("-1", -1, -1, ("0.0.0.0/0",)),))
    assert network.groups([closed], vpc="vpc-1").verdict is Verdict.FAILED
    assert network.groups([closed, open_], vpc="vpc-1").verdict is Verdict.OK


def test_a_security_group_of_another_vpc_fails() -> None:
    found = network.groups([Group("sg-1", "vpc-2", ())], vpc="vpc-1")
    assert found.verdict is Verdict.FAILED
    assert "sg-1 is not in vpc-1" in found.cause
