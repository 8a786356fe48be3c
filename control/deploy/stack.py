"""Deploys the stack: package, upload, propose a change set, carry it out, wait, and do what
CloudFormation cannot.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.cloudformation import ChangeSet, Stack, Stacks
from deploy import afterwards, artifacts, existing, standing
from deploy.commands import Interrupted, Say
from deploy.following import follow
from deploy.saying import DeployFailed, checked_stack, pauses
from deploy.standing import Next

_NO_CHANGES = re.compile("didn't contain changes|No updates are to be performed")


def deploy(
    stack: str, *, parameters: Mapping[str, str] | None = None, say: Say = print
) -> dict[str, str]:
    """Create or update the stack; its outputs. Parameters that are not given stay as they are.

    Raises DeployFailed, Busy, PackagingFailed, and what botocore raises.
    """
    checked_stack(stack)
    given = dict(parameters or {})
    template = artifacts.upload(say)
    if unknown := set(given) - set(_declared(template)):
        raise DeployFailed(f"not parameters of the stack: {', '.join(sorted(unknown))}")
    stacks = Stacks(clients.client("cloudformation"))
    present = _settled(stacks, stack, say)
    existing.check(stack, {**(present.parameters if present else {}), **given})
    _apply(stacks, stack, present, template=template, given=given, say=say)
    found = stacks.find(stack)
    if found is None:
        raise DeployFailed(f"stack {stack} was deleted meanwhile")
    before = present.outputs.get("InputBucket", "") if present else ""
    afterwards.finish(stack, before=before, say=say)
    return dict(found.outputs)


def _declared(template: Mapping[str, object]) -> dict[str, object]:
    parameters = template["Parameters"]
    assert isinstance(parameters, dict)  # noqa: S101 - a template is one of ours
    return parameters


def _settled(stacks: Stacks, stack: str, say: Say) -> Stack | None:
    """The stack to update, None to create it. What a failed creation left is removed."""
    found = stacks.find(stack)
    status = found.status if found else ""
    match standing.next_step(
        stack, status, region=clients.client("cloudformation").meta.region_name
    ):
        case Next.UPDATE:
            return found
        case Next.CREATE:
            return None
        case Next.CLEAN_UP:
            assert found  # noqa: S101 - there is no status without a stack
            say(f"stack {stack} is {status}: deleting what a failed creation left")
            last = stacks.last_event(found.id)
            stacks.delete(stack)
            ended = follow(stacks, found.id, after=last, say=say)
            if ended.status not in ("", "DELETE_COMPLETE"):
                raise DeployFailed(f"stack {stack} is {ended.status}: {ended.cause}")
            return None


def _apply(
    stacks: Stacks,
    stack: str,
    present: Stack | None,
    *,
    template: Mapping[str, object],
    given: Mapping[str, str],
    say: Say,
) -> None:
    """Propose the change and carry it out, if it is one."""
    kept = set(present.parameters) & set(_declared(template)) - set(given) if present else set()
    change = ChangeSet(stack, f"deploy-{time.time_ns()}")
    try:
        stacks.propose(
            change,
            template=json.dumps(template, separators=(",", ":")),
            create=present is None,
            parameters=given,
            kept=kept,
        )
        worthwhile = _worthwhile(stacks, change)
    except KeyboardInterrupt:
        _withdraw(stacks, change, present)
        raise Interrupted(f"interrupted: stack {stack} was not changed") from None
    if worthwhile:
        _carry_out(stacks, change, say)
    else:
        say(f"stack {stack}: no changes")


def _withdraw(stacks: Stacks, change: ChangeSet, present: Stack | None) -> None:
    """Leave nothing of a proposal. A stack that was only ever proposed is empty."""
    if present is None and stacks.status(change.stack) == "REVIEW_IN_PROGRESS":
        stacks.delete(change.stack)
    elif present is not None:
        stacks.discard(change)


def _worthwhile(stacks: Stacks, change: ChangeSet) -> bool:
    """Whether the change set, once it is worked out, changes anything."""
    for pause in pauses():
        status, reason = stacks.proposal(change)
        if status == "CREATE_COMPLETE":
            return True
        if status == "FAILED":
            stacks.discard(change)
            if _NO_CHANGES.search(reason):
                return False
            raise DeployFailed(f"stack {change.stack}: {reason}")
        time.sleep(pause)
    raise AssertionError("the pauses have no end")


def _carry_out(stacks: Stacks, change: ChangeSet, say: Say) -> None:
    found = stacks.find(change.stack)
    stack_id = found.id if found else change.stack
    last = stacks.last_event(stack_id)
    stacks.execute(change)
    try:
        ended = follow(stacks, stack_id, after=last, say=say)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: AWS goes on changing stack {change.stack} by itself, and takes it back "
            f"if that fails. When it has ended, make deploy STACK={change.stack} does what is left."
        ) from None
    if ended.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        cause = ended.cause or "no reason is given"
        raise DeployFailed(f"stack {change.stack} is {ended.status}: {cause}")
    say(f"stack {change.stack}: {ended.status}")
