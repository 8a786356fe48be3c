"""What there is: read, and nothing changed."""

from __future__ import annotations

from dataclasses import dataclass

from aws_parallelizer.aws.ec2 import Ec2, Filters
from aws_parallelizer.core.fleet import TAG_JOB, TAG_STACK, Instance, SpotRequest
from aws_parallelizer.core.job import Job


@dataclass(frozen=True, kw_only=True)
class Sight:
    """All that EC2 has of a job. `untagged` are replacements, known by their request alone."""

    instances: tuple[Instance, ...] = ()
    requests: tuple[SpotRequest, ...] = ()
    untagged: tuple[str, ...] = ()


def look(ec2: Ec2, job: Job, *, stack: str) -> Sight:
    """The job's instances and requests: by tag, and each through the other.

    EC2 does not tag the instance with which it replaces a persistent request's lost one; it is
    found by the request. Nothing that is neither tagged nor so connected is ever in sight, and what
    is not in sight is never changed.
    """
    return _look(ec2, {f"tag:{TAG_STACK}": [stack], f"tag:{TAG_JOB}": [job.name]})


def look_at_stack(ec2: Ec2, stack: str) -> Sight:
    """The same of all jobs of the stack together, also of those that no ledger knows any more."""
    return _look(ec2, {f"tag:{TAG_STACK}": [stack]})


def _look(ec2: Ec2, mine: Filters) -> Sight:
    tagged = {each.id: each for each in ec2.instances(mine)}
    requests = {each.id: each for each in ec2.requests(mine)}
    unlisted = {each.request for each in tagged.values()} - requests.keys() - {""}
    if unlisted:
        found = ec2.requests({"spot-instance-request-id": sorted(unlisted)})
        requests.update({each.id: each for each in found})
    replaced = _of_persistent(ec2, requests)
    strays = {id_: each for id_, each in replaced.items() if id_ not in tagged}
    return Sight(
        instances=tuple(sorted((*tagged.values(), *strays.values()), key=_age)),
        requests=tuple(requests.values()),
        untagged=tuple(id_ for id_, each in strays.items() if each.state != "terminated"),
    )


def _of_persistent(ec2: Ec2, requests: dict[str, SpotRequest]) -> dict[str, Instance]:
    persistent = [each.id for each in requests.values() if each.type == "persistent"]
    if not persistent:
        return {}
    found = ec2.instances({"spot-instance-request-id": sorted(persistent)})
    return {each.id: each for each in found}


def _age(instance: Instance) -> tuple[str, str]:
    return instance.launched.isoformat(), instance.id
