"""What CloudFormation leaves when it deletes a stack: buckets, log groups, and queues whose ledger
is gone.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.buckets import Buckets
from aws_parallelizer.aws.log_groups import LogGroups
from aws_parallelizer.core.fleet import TAG_STACK
from deploy.commands import Say
from deploy.survey import Place

_PREFIX = 20  # CloudFormation shortens a long stack's name in its buckets' names; tags decide
_TOLD_EACH = 10_000


@dataclass(frozen=True, kw_only=True)
class Stay:
    """How many buckets went, and a line about each that did not."""

    gone: int
    kept: list[str]


def remove_log_groups(place: Place) -> int:
    """Remove log groups of the stack's functions that it did not take along; how many there were.
    A function that still ran may have made its group anew.
    """
    groups = LogGroups(clients.client("logs"))
    names = groups.names(prefix=f"/aws/lambda/{place.stack}/")
    for name in names:
        groups.remove(name)
    return len(names)


def remove_buckets(place: Place, *, emptied: bool, say: Say) -> Stay:
    """Remove the buckets that the stack made, now or in a life before: those that are empty, and
    if `emptied` the others too, with all that is in them.
    """
    buckets = Buckets(clients.client("s3"))
    tagged = buckets.tagged(TAG_STACK, place.stack, prefix=place.stack.lower()[:_PREFIX])
    names = {*place.of_type("AWS::S3::Bucket"), *tagged}
    kept = []
    for name in sorted(names):
        if emptied:
            buckets.empty(name, told=functools.partial(_tell, say, name))
        if not buckets.remove(name):
            kept.append(f"stays, for it is not empty: bucket {name} (BUCKETS=1 removes it)")
    return Stay(gone=len(names) - len(kept), kept=kept)


def strangers(place: Place) -> list[str]:
    """Lines about queues that may be a job's of this stack, but that no ledger names as one's."""
    if place.found is not None:
        return []  # the ledger was there and named all
    names = [url.rpartition("/")[2] for url in place.queues.beginning_with(f"{place.stack}_")]
    if not names:
        return []
    why = "stay, for the ledger that would say whose they are is gone"
    return [f"{why}: the queues {' '.join(sorted(names))}"]


def _tell(say: Say, bucket: str, gone: int) -> None:
    if gone % _TOLD_EACH == 0:
        say(f"  {gone:,} objects of bucket {bucket} are deleted")
