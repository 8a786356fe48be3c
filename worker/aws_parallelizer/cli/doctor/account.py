"""Whose credentials, where, by which clock, and which stack. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from aws_parallelizer.aws.cloudformation import Stack
from aws_parallelizer.aws.identity import Caller
from aws_parallelizer.cli.doctor.finding import Finding, failed, not_checked, ok, warning

_SIGNATURE_SECONDS = 300  # so far may a signature's time be off
_DRIFT_SECONDS = 60  # no clock that is kept drifts so far
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_UNKNOWN = ("InvalidClientTokenId", "UnrecognizedClientException")
# API Gateway's address holds the region: its signature is for that one alone.
_API_HOST = re.compile(r"https://[a-z0-9-]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com")

OUTPUTS = (
    "EndpointURL",
    "InputBucket",
    "OutputBucket",
    "EnvironmentBucket",
    "LedgerTable",
    "WorkerProfile",
)


def credentials(caller: Caller) -> Finding:
    """Whether AWS takes them, and whose they are."""
    name = "credentials"
    if not caller.code:
        return ok(name, f"{caller.arn} in account {caller.account}")
    if caller.code in _EXPIRED:
        cure = "Get new ones: `aws sso login`, or however you got these."
        return failed(name, "The credentials have expired.", cure)
    if caller.code in _UNKNOWN:
        # The same answer comes from a region that the account has not enabled.
        cure = (
            "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for keys that pass, "
            "AWS_SESSION_TOKEN; see that the account has the region enabled."
        )
        return failed(name, "AWS does not know the access key or its session token.", cure)
    if caller.code == "SignatureDoesNotMatch":
        cure = "Compare AWS_SECRET_ACCESS_KEY with what you were given, and this machine's clock."
        return failed(name, "The secret key does not fit the access key, or the clock.", cure)
    return failed(name, f"AWS refuses them: {caller.code}: {caller.message}")


def region(name: str | None, *, api: str) -> Finding:
    """Whether one is set, and the API's; `api` is its address, if one is given."""
    if not name:
        cure = "Set AWS_REGION, or run `aws configure`."
        return failed("region", "There is no AWS region.", cure)
    found = _API_HOST.match(api)
    if found and found[1] != name:
        cause = f"PARALLELIZER_API is an address in {found[1]}, and the region is {name}."
        return failed("region", cause, f"Set AWS_REGION={found[1]}.")
    return ok("region", name)


def clock(told: datetime | None, *, now: datetime) -> Finding:
    """Whether signatures of this machine are in time; both times in UTC."""
    if told is None:
        return not_checked("clock", "the endpoint tells no time")
    seconds = (now - told).total_seconds()
    off = f"This machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"
    cure = "Set it by NTP, such as `timedatectl set-ntp true`."
    if abs(seconds) > _SIGNATURE_SECONDS:
        return failed("clock", f"{off} AWS's: signatures so far off are refused.", cure)
    if abs(seconds) > _DRIFT_SECONDS:
        return warning("clock", f"{off} AWS's; at {_SIGNATURE_SECONDS} s AWS refuses calls.", cure)
    return ok("clock", "within a minute of AWS's")


def stack(name: str, found: Stack | None, *, region: str, api: str) -> Finding:
    """Whether the stack is deployed, whole, and one of ours; `api` = the API's address, if one is
    given, which makes a stack less needed.
    """
    if found is None:
        cause = f"There is no stack {name} in {region}."
        if api:
            cure = "Set PARALLELIZER_STACK to the stack of PARALLELIZER_API, to check more."
            return warning("stack", cause, cure)
        cure = f"Run make deploy STACK={name}, or set PARALLELIZER_STACK or AWS_REGION."
        return failed("stack", cause, cure)
    status = found.status
    told = f"{name} in {region} is {status}"
    missing = [output for output in OUTPUTS if output not in found.outputs]
    if status.endswith("_IN_PROGRESS") and not missing:
        return warning("stack", f"{told}.", "Wait until it is complete.")
    if not status.endswith("_COMPLETE") or status in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE"):
        cure = f"Run make deploy STACK={name}, which says what fails."
        return failed("stack", f"{told}.", cure)
    if missing:
        cause = f"{told}, and has no output {', '.join(missing)}: it is not one of ours, or older."
        return failed("stack", cause, f"Run make deploy STACK={name}, or give another --stack.")
    if status == "UPDATE_ROLLBACK_COMPLETE":
        cure = f"Run make deploy STACK={name}, which says what fails."
        return warning("stack", f"{told}: its last change was taken back.", cure)
    return ok("stack", told)
