"""Image, instance types, quota, and what IAM has for instances. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from aws_parallelizer.aws.survey import Image, Kind
from aws_parallelizer.cli.doctor.finding import Finding, failed, not_checked, ok, warning
from aws_parallelizer.core.launch_data import MAKE_SPOT_ROLE

_STANDARD = frozenset({"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"})
_SHOWN = 6  # names in one line


def image(found: Image, *, source: str) -> Finding:
    """Whether instances can boot it; `source` says where its id comes from."""
    told = f"{found.id} ({source})"
    if found.state != "available":
        cure = "Wait for it if it is pending; else make another, or set imageID."
        return failed("image", f"{told} is {found.state or 'in no known state'}.", cure)
    if found.root_type == "instance-store":
        cause = f"{told} has its root on an instance store; workers have an encrypted EBS volume."
        return failed("image", cause, "Set imageID to an image whose root is an EBS volume.")
    # Launches ask for IMDSv2; an image that is not marked may speak it all the same.
    marked = "marked for IMDSv2" if found.imds == "v2.0" else "not marked for IMDSv2, which it gets"
    return ok("image", f"{told}, root {found.root_device}, {marked}")


def architecture(found: Image, kinds: Sequence[Kind]) -> Finding:
    """Whether the image is built for the instance types."""
    name = "architecture"
    if not found.architecture:
        return not_checked(name, f"EC2 does not tell the architecture of {found.id}")
    other = [kind.name for kind in kinds if found.architecture not in kind.architectures]
    if not other:
        return ok(name, f"{found.architecture}, the image and {_types(len(kinds))}")
    cause = f"{found.id} is built for {found.architecture}, and {_listed(other)} are not."
    return failed(name, cause, "Set instanceType to types of that architecture, or imageID.")


def types(
    kinds: Sequence[Kind], offered: Collection[tuple[str, str]], *, zones: Collection[str]
) -> Finding:
    """Whether the zones of the subnets have the types, and have them for spot."""
    name = "instance types"
    no_spot = [kind.name for kind in kinds if kind.markets and "spot" not in kind.markets]
    if no_spot:
        cause = f"{_listed(no_spot)} cannot be had for spot."
        return failed(name, cause, "Take them out of instanceType.")
    here = {kind.name: {zone for zone in zones if (kind.name, zone) in offered} for kind in kinds}
    pools = sum(len(found) for found in here.values())
    nowhere = sorted(kind for kind, found in here.items() if not found)
    told = f"{pools} of {len(kinds) * len(zones)} pools, {_types(len(kinds))} in {_zones(zones)}"
    if not pools:
        cause = f"No type is offered in {_zones(zones)}."
        return failed(name, cause, "Set instanceType or subnets to others.")
    if nowhere:
        cause = f"{_listed(nowhere)} are offered in none of the subnets' zones; {told}."
        return warning(name, cause, "Take them out of instanceType, or add subnets.")
    return ok(name, told)


def quota(
    market: str, allowed: int, kinds: Sequence[Kind], *, instances: int, code: str
) -> Finding:
    """Whether the account may run so many: `allowed` vCPUs of standard types at once."""
    name = f"{market} quota"
    smallest, largest = min(kind.vcpus for kind in kinds), max(kind.vcpus for kind in kinds)
    wanted = instances * largest
    told = f"{allowed} vCPUs; {instances} instances take up to {wanted}"
    cure = f"Ask for more of {code} in the Service Quotas console"
    if allowed < smallest:
        return failed(name, f"{told}, and one takes {smallest}.", f"{cure}.")
    if allowed < wanted:
        fit = max(1, allowed // largest)
        cure = f"{cure}, or set maxInstances={fit}."
        return warning(name, f"{told}: fewer will run.", cure)
    return ok(name, f"{told}; what else runs in the account counts too")


def standard(kinds: Sequence[Kind]) -> list[Kind]:
    """Those of them that the quotas of standard types hold for."""
    return [kind for kind in kinds if _family(kind) in _STANDARD]


def _family(kind: Kind) -> str:
    found = re.match("[a-z]+", kind.name)
    return found[0] if found else ""


def profile(arn: str, roles: Sequence[str]) -> Finding:
    """Whether instances get a role."""
    short = arn.rpartition("/")[2]
    if not roles:
        cause = f"{short} has no role: workers would have no credentials."
        return failed("instance profile", cause, "Run make deploy, which makes it anew.")
    return ok("instance profile", f"{short} with role {roles[0]}")


def spot_role(*, there: bool, aws: bool) -> Finding:
    """Whether EC2 may run spot instances in this account."""
    if there:
        return ok("spot role", "the account has spot's service-linked role")
    if not aws:
        return not_checked("spot role", "this endpoint is not AWS's, and needs none")
    return failed(
        "spot role",
        "The account has no service-linked role for spot.",
        f"Run once: {MAKE_SPOT_ROLE}",
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _types(count: int) -> str:
    return "1 instance type" if count == 1 else f"{count} instance types"


def _zones(zones: Collection[str]) -> str:
    return ", ".join(sorted(zones))
