"""Destroys the stack, and everything that its jobs have made beside it.

The order matters. Nothing is changed while work is left, unless that is forced. Then the control
plane is put to rest, so that nothing new begins, and looked at once more; then the fleet ends, the
queues and launch templates that jobs made go, and at last the stack itself. What is found by tag
is swept again after the stack is gone. Whatever breaks it off, it can be run again.
"""

from __future__ import annotations

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.cloudformation import Busy, Stacks
from aws_parallelizer.aws.ec2_setup import Ec2Setup
from aws_parallelizer.core.fleet import TAG_STACK
from deploy import artifacts, existing, remains, survey, switching
from deploy.afterwards import SPOT_ROLE
from deploy.commands import Interrupted, Say
from deploy.following import follow
from deploy.leftovers import Left
from deploy.saying import DeployFailed, checked_stack
from deploy.survey import Place
from deploy.sweep import check_protected, sweep


def destroy(stack: str, *, force: bool = False, buckets: bool = False, say: Say = print) -> None:
    """Leave nothing of the stack. Work that is left stops it, unless `force`; the objects in its
    buckets stay, unless `buckets`.

    Raises DeployFailed, Busy, and what botocore raises.
    """
    place = survey.locate(checked_stack(stack))
    _check_idle(place)
    _refuse(survey.take(place), stack, force=force)
    try:
        _destroy(place, force=force, buckets=buckets, say=say)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: stack {stack} is destroyed in part, and starts nothing by itself; make "
            f"destroy STACK={stack} goes on, make deploy STACK={stack} wakes what is left"
        ) from None


def _destroy(place: Place, *, force: bool, buckets: bool, say: Say) -> None:
    try:
        switching.rest(place, say=say)
        _refuse(survey.take(place), place.stack, force=force)
    except Exception:
        switching.wake(place)  # whatever it was, nothing else has been changed yet
        raise
    existing.detach(place)
    gone = sweep(place, place.intents, say=say)
    gone += _remove_queues(place, say)
    gone += _remove_templates(place)
    gone += _delete(place, say)
    gone += remains.remove_log_groups(place)
    stay = remains.remove_buckets(place, emptied=buckets, say=say)
    gone += stay.gone + sweep(place, (), say=say) + _remove_templates(place)
    _tell(place, gone, stay.kept, say)


def _check_idle(place: Place) -> None:
    status = place.found.status if place.found else ""
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        raise Busy(
            f"stack {place.stack} is {status}: a deploy or another destroy is under way; wait "
            "until it has ended, then try again"
        )


def _refuse(left: Left, stack: str, *, force: bool) -> None:
    check_protected(left.protected)
    if left.sentences and not force:
        lines = "\n  ".join(left.sentences)
        raise DeployFailed(
            f"stack {stack} has work left:\n  {lines}\n"
            f"Nothing was changed. Wait until it has ended, or drop it: "
            f"make destroy STACK={stack} FORCE=1"
        )


def _remove_queues(place: Place, say: Say) -> int:
    """The queues that jobs made: those alone that their rows in the ledger name as their own."""
    urls = [
        url
        for job in place.jobs
        if job.own_queue
        for url in (job.queue_url, job.dead_letter_url)
        if url
    ]
    dropped = survey.messages(
        place, [*urls, place.resource("UploadsQueue"), place.resource("UploadsDeadQueue")]
    )
    for url in urls:
        place.queues.remove(url)
    if dropped:
        say(f"  dropped about {dropped:,} messages with the queues that held them")
    return len(urls)


def _remove_templates(place: Place) -> int:
    setup = Ec2Setup(clients.client("ec2"))
    names = setup.template_names({TAG_STACK: place.stack})
    for name in names:
        setup.remove_template(name)
    return len(names)


def _delete(place: Place, say: Say) -> int:
    """Delete the stack and wait; 1 if there was one."""
    if place.found is None:
        return 0
    stacks = Stacks(clients.client("cloudformation"))
    last = stacks.last_event(place.found.id)
    stacks.delete(place.found.id)
    ended = follow(stacks, place.found.id, after=last, say=say)
    if ended.status not in ("", "DELETE_COMPLETE"):
        raise DeployFailed(
            f"stack {place.stack} is {ended.status}: {ended.cause or 'no reason is given'}. Put "
            f"that right, and run make destroy STACK={place.stack} again"
        )
    return 1


def _tell(place: Place, gone: int, kept: list[str], say: Say) -> None:
    where = f"stack {place.stack} in {place.region}"
    say(f"nothing is left of {where}" if gone else f"there is nothing of {where}")
    for line in [*kept, *remains.strangers(place), *_shared(gone)]:
        say(f"  {line}")


def _shared(gone: int) -> list[str]:
    """What other stacks of the account may need."""
    if not gone:
        return []
    code = f"s3://{artifacts.bucket_name()}"
    return [f"stays, for other stacks may use it: the code in {code}, and spot's role {SPOT_ROLE}"]
