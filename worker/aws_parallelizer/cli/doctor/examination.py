"""All checks, in order; none of them stops the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from aws_parallelizer.aws.sentences import sentence
from aws_parallelizer.cli.doctor import looks_account, looks_launch
from aws_parallelizer.cli.doctor.chart import Chart, Lacking, Request
from aws_parallelizer.cli.doctor.finding import Finding, Verdict, failed, not_checked
from aws_parallelizer.cli.doctor.looks_account import bucket

Look = Callable[[Chart], Finding | tuple[Finding, ...] | None]


class Check(NamedTuple):
    """One check. Nothing goes without an `essential` one: it fails where it cannot be made."""

    name: str
    look: Look
    essential: bool = False


CHECKS = (
    Check("region", looks_account.region, essential=True),
    Check("credentials", looks_account.credentials, essential=True),
    Check("stack", looks_account.stack, essential=True),
    Check("api", looks_account.api, essential=True),
    Check("job", looks_account.job, essential=True),
    *(
        Check(kind, bucket(kind, field=kind.replace(" ", "_"), output=output))
        for kind, output in (
            ("input bucket", "InputBucket"),
            ("output bucket", "OutputBucket"),
            ("environment bucket", "EnvironmentBucket"),
        )
    ),
    Check("image", looks_launch.image),
    Check("environment", looks_launch.environment),
    Check("subnets", looks_launch.subnets),
    Check("internet", looks_launch.internet),
    Check("security group", looks_launch.security_group),
    Check("key pair", looks_launch.key_pair),
    Check("instance profile", looks_launch.profile),
    Check("instance types", looks_launch.types),
    Check("architecture", looks_launch.architecture),
    Check("spot quota", looks_launch.spot_quota),
    Check("on-demand quota", looks_launch.on_demand_quota),
    Check("spot role", looks_launch.spot_role),
    Check("launch", looks_launch.launch),
)


def examine(request: Request) -> Iterator[Finding]:
    """Every finding, as it is made."""
    chart = Chart(request)
    for check in CHECKS:
        yield from _made(check, chart)


def _made(check: Check, chart: Chart) -> Iterator[Finding]:
    try:
        found = check.look(chart)
    except Lacking as lacking:
        yield not_checked(check.name, f"it needs {lacking}, see above")
    except Exception as error:
        # AWS refuses the call or cannot be reached: this check is lost, and the others go on.
        told = sentence(error)
        if told is None:
            raise
        yield failed(check.name, told) if check.essential else not_checked(check.name, told)
    else:
        if found is not None:
            yield from (found,) if isinstance(found, Finding) else found


def exit_code(findings: list[Finding]) -> int:
    """0 if nothing failed, else 1."""
    return int(any(finding.verdict is Verdict.FAILED for finding in findings))
