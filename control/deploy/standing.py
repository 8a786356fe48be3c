"""What can be done with a stack, by its status: pure.

status                                 next
none, DELETE_COMPLETE                  create
REVIEW_IN_PROGRESS                     create: it was only ever proposed, and is empty
ROLLBACK_COMPLETE, ROLLBACK_FAILED,
CREATE_FAILED                          delete what the failed creation left, then create
another ..._IN_PROGRESS                nothing: somebody else is at it
DELETE_FAILED                          nothing: `make destroy` goes on with it
UPDATE_ROLLBACK_FAILED                 nothing: a person must have CloudFormation roll back again
all others                             update
"""

from __future__ import annotations

from enum import Enum, auto

from aws_parallelizer.aws.cloudformation import Busy
from deploy.saying import DeployFailed


class Next(Enum):
    """What a deploy does first."""

    CREATE = auto()
    UPDATE = auto()
    CLEAN_UP = auto()


def next_step(stack: str, status: str, *, region: str) -> Next:
    """See the table; raises Busy and DeployFailed, whose texts say what to do."""
    if status in ("", "DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):
        return Next.CREATE
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"):
        return Next.CLEAN_UP
    if status.endswith("_IN_PROGRESS"):
        raise Busy(
            f"stack {stack} is {status}: another deploy or destroy is under way; wait until it has "
            "ended, then try again"
        )
    if status == "DELETE_FAILED":
        raise DeployFailed(
            f"stack {stack} is DELETE_FAILED: make destroy STACK={stack} deletes what is left of "
            "it; then deploy again"
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        raise DeployFailed(
            f"stack {stack} is UPDATE_ROLLBACK_FAILED: put right what its last events name, run "
            f"aws cloudformation continue-update-rollback --stack-name {stack} --region {region}, "
            "then deploy again"
        )
    return Next.UPDATE
