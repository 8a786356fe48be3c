"""Subnets, their ways out, and security groups. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aws_parallelizer.aws.ec2_setup import Subnet
from aws_parallelizer.aws.survey import Egress, Endpoint, Group, RouteTable
from aws_parallelizer.cli.doctor.finding import Finding, failed, not_checked, ok, warning

_HTTPS = 443
_ALL = ("0.0.0.0/0", "::/0")
_NEEDED = ("s3", "sqs", "dynamodb", "ec2")  # what a worker calls


def subnets(found: Sequence[Subnet], *, instances: int) -> Finding:
    """Whether the fleet has room in one VPC."""
    vpcs = sorted({subnet.vpc for subnet in found})
    if len(vpcs) > 1:
        cause = f"The subnets lie in {len(vpcs)} VPCs: {', '.join(vpcs)}."
        return failed("subnets", cause, "Set subnets to those of one VPC.")
    free = sum(subnet.free_addresses for subnet in found)
    zones = sorted({subnet.zone for subnet in found})
    told = f"{len(found)} in {vpcs[0]}, zones {', '.join(zones)}, {free} free addresses"
    if not free:
        cure = "Free some, or set subnets to others."
        return failed("subnets", "No subnet has a free address.", cure)
    full = [subnet.id for subnet in found if not subnet.free_addresses]
    if full:
        cause = f"{', '.join(full)} have no free address; {told}."
        return warning("subnets", cause, "Take them out of subnets.")
    if free < instances:
        cure = f"Add subnets, or set maxInstances={free}."
        return warning("subnets", f"{told}, for up to {instances} instances.", cure)
    if len(zones) == 1:
        cause = f"{told}: spot is found where there is choice."
        return warning("subnets", cause, "Add subnets in other zones.")
    return ok("subnets", told)


def ways(
    found: Sequence[Subnet],
    tables: Sequence[RouteTable],
    endpoints: Sequence[Endpoint],
    *,
    aws: bool,
) -> Finding:
    """Whether instances in each subnet reach what a worker calls; `aws` = this is no emulator."""
    if not aws:
        return not_checked("internet", "this endpoint is not AWS's, and has no ways out")
    problems = [
        f"{subnet.id} {problem}"
        for subnet in found
        for problem in _problems(subnet, _table_of(subnet, tables), endpoints)
    ]
    if problems:
        cure = "Use subnets with a public address or a NAT gateway, or add VPC endpoints."
        return warning("internet", "; ".join(problems) + ".", cure)
    return ok("internet", "each subnet has a way to S3, SQS, DynamoDB and EC2")


def _problems(
    subnet: Subnet, table: RouteTable | None, endpoints: Sequence[Endpoint]
) -> Iterator[str]:
    leads = table.internet if table else ""
    if leads and (subnet.public or not leads.startswith("igw-")):
        return
    # Interface endpoints serve the whole VPC, a gateway's only the route tables that it is in.
    served = {
        endpoint.service
        for endpoint in endpoints
        if not endpoint.tables or (table and table.id in endpoint.tables)
    }
    missing = [service for service in _NEEDED if service not in served]
    if missing:
        why = "gives no public address" if leads else "has no route to the internet"
        yield f"{why}, nor endpoints for {', '.join(missing)}"


def _table_of(subnet: Subnet, tables: Sequence[RouteTable]) -> RouteTable | None:
    own = [table for table in tables if subnet.id in table.subnets]
    return next(iter(own or [table for table in tables if table.main]), None)


def groups(found: Sequence[Group], *, vpc: str) -> Finding:
    """Whether the security groups are the VPC's and let workers speak HTTPS."""
    name = "security group"
    ids = ", ".join(group.id for group in found)
    foreign = [group.id for group in found if group.vpc != vpc]
    if foreign:
        cause = f"{', '.join(foreign)} is not in {vpc}, where the subnets are."
        return failed(name, cause, "Set securityGroup to one of that VPC.")
    out = [rule for group in found for rule in group.egress if _lets_https_out(rule)]
    if not out:
        cure = "Let TCP port 443 out: workers call S3, SQS and DynamoDB by it."
        return failed(name, f"{ids} lets no HTTPS out.", cure)
    reached = {target for rule in out for target in rule.to}
    if not reached.intersection(_ALL):
        cause = f"{ids} lets HTTPS out to {', '.join(sorted(reached))} only."
        return warning(name, cause, "See that S3, SQS, DynamoDB and EC2 are among them.")
    return ok(name, f"{ids} lets HTTPS out")


def _lets_https_out(rule: Egress) -> bool:
    if rule.protocol == "-1":
        return True
    return rule.protocol in ("tcp", "6") and rule.low <= _HTTPS <= rule.high
