"""Buckets that were there before the stack. Of an input bucket's notifications one entry becomes
the stack's; those of others stay as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.bucket_notifications import BucketNotifications
from aws_parallelizer.aws.buckets import Buckets
from aws_parallelizer.core.errors import NotFound
from deploy import notifications
from deploy.commands import Say
from deploy.notifications import Configuration, Entry
from deploy.saying import DeployFailed
from deploy.survey import Place

INPUT = "InputBucketName"
PARAMETERS = (INPUT, "OutputBucketName", "EnvironmentBucketName")
_READS = 5  # S3 may show a bucket's old configuration for a while
_PAUSE_SECONDS = 2.0


def check(stack: str, parameters: Mapping[str, str]) -> None:
    """Raise DeployFailed if one of the buckets that the parameters name cannot be used; changes
    nothing.
    """
    for name in filter(None, (parameters.get(each) for each in PARAMETERS)):
        _check_place(name)
    if bucket := parameters.get(INPUT):
        entry = notifications.own_entry(stack, queue_arn="")
        _check_obstacles(bucket, _gateway().read(bucket), entry)


def attach(
    place: Place, *, before: str, say: Say, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Have the input bucket tell the stack of its new objects, if it is not the stack's own, and
    the one that was it `before` no more. Raises DeployFailed.
    """
    if place.found is None:
        return
    bucket = place.found.parameters.get(INPUT, "")
    arn = place.queues.arn(place.resource("UploadsQueue"))
    if bucket:
        _attach(bucket, notifications.own_entry(place.stack, queue_arn=arn), say, sleep)
    if before and before != place.found.outputs.get("InputBucket"):
        _detach(before, place.stack, arn)
        say(f"bucket {before} does not tell the stack of new objects any more")


def detach(place: Place) -> None:
    """Have the input bucket tell the stack no more, whoever made it; harmless where it does not."""
    bucket = place.found.outputs.get("InputBucket", "") if place.found else ""
    if not bucket:
        return
    url = place.resource("UploadsQueue")
    try:
        arn = place.queues.arn(url) if url else ""
    except NotFound:
        arn = ""  # the queue is gone; the entry has its id all the same
    _detach(bucket, place.stack, arn)


def _check_place(bucket: str) -> None:
    here = str(clients.client("s3").meta.region_name)
    account = clients.client("sts").get_caller_identity()["Account"]
    try:
        there = Buckets(clients.client("s3")).region(bucket, owner=account)
    except NotFound as error:
        raise DeployFailed(str(error)) from error
    if there != here:
        raise DeployFailed(f"bucket {bucket} is in {there}, the stack in {here}: both must be one")


def _check_obstacles(bucket: str, present: Configuration, entry: Entry) -> None:
    if found := notifications.obstacles(present, entry):
        raise DeployFailed(
            f"bucket {bucket} already tells others of new objects, and S3 tells of each only once: "
            f"{'; '.join(found)}. Take that out, or name another {INPUT}"
        )


def _attach(bucket: str, entry: Entry, say: Say, sleep: Callable[[float], None]) -> None:
    present = _gateway().read(bucket)
    _check_obstacles(bucket, present, entry)
    wanted = notifications.merged(present, entry)
    if wanted == present:
        return
    _gateway().write(bucket, wanted)
    for _ in range(_READS):
        missing = notifications.missing(wanted, _gateway().read(bucket))
        if not missing:
            say(f"bucket {bucket} tells the stack of new objects, by its entry {entry['Id']}")
            return
        sleep(_PAUSE_SECONDS)
    raise DeployFailed(
        f"the notifications of bucket {bucket} are not as they were written, so somebody else "
        f"changes them at this moment: {', '.join(missing)} missing. Look at them, and deploy again"
    )


def _detach(bucket: str, stack: str, arn: str) -> None:
    try:
        present = _gateway().read(bucket)
    except NotFound:
        return  # with the bucket its notifications are gone
    kept = notifications.without(present, id_=notifications.entry_id(stack), queue_arn=arn)
    if kept != present:
        # Not validated: a destination of somebody else's that is gone is not our concern.
        _gateway().write(bucket, kept, validate=False)


def _gateway() -> BucketNotifications:
    return BucketNotifications(clients.client("s3"))
