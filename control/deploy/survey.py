"""What there is of a stack: read, and nothing changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.cloudformation import Resource, Stack, Stacks
from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.aws.sqs import Queues, is_gone
from aws_parallelizer.core.fleet import Intent
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.outcome import OPEN
from chalicelib.holdings import Holdings
from chalicelib.observing import look_at_stack
from deploy.leftovers import JobLeft, Left


@dataclass(frozen=True, kw_only=True)
class Place:
    """A stack and the gateways to what is its own. `found` None = CloudFormation knows none of the
    name; `registry` and `ledger` None = the table is gone.
    """

    stack: str
    region: str
    found: Stack | None
    resources: Mapping[str, Resource]
    ec2: Ec2
    queues: Queues
    registry: Registry | None
    ledger: Ledger | None

    def resource(self, logical: str) -> str:
        """The id of a resource, empty where it is gone."""
        return self.resources[logical].id if logical in self.resources else ""

    def of_type(self, kind: str) -> list[str]:
        """The ids of the resources of a CloudFormation type."""
        return [each.id for each in self.resources.values() if each.type == kind]

    @property
    def jobs(self) -> list[Job]:
        """The jobs that the ledger knows."""
        return self.registry.jobs() if self.registry else []

    @property
    def intents(self) -> tuple[Intent, ...]:
        """The launches of all jobs."""
        if self.registry is None:
            return ()
        return tuple(each for job in self.jobs for each in self.registry.intents(job.name))


def locate(stack: str) -> Place:
    """The stack as CloudFormation knows it; raises what botocore raises."""
    client = clients.client("cloudformation")
    stacks = Stacks(client)
    resources = stacks.resources(stack)
    name = resources["Ledger"].id if "Ledger" in resources else ""
    table = Table(clients.client("dynamodb"), name=name) if name else None
    return Place(
        stack=stack,
        region=client.meta.region_name,
        found=stacks.find(stack),
        resources=resources,
        ec2=Ec2(clients.client("ec2"), launcher=None),
        queues=Queues(clients.client("sqs")),
        registry=Registry(table) if table else None,
        ledger=Ledger(table) if table else None,
    )


def take(place: Place) -> Left:
    """What is left of the stack's work."""
    return Left(
        holdings=holdings(place, place.intents, now=datetime.now(UTC)),
        jobs=tuple(_job(place, job) for job in place.jobs),
        uploads=messages(place, [place.resource("UploadsQueue")]),
        given_up=messages(place, [place.resource("UploadsDeadQueue")]),
    )


def holdings(place: Place, intents: Iterable[Intent], *, now: datetime) -> Holdings:
    """What the stack has in EC2."""
    sight = look_at_stack(place.ec2, place.stack)
    return Holdings(
        now=now,
        instances=sight.instances,
        requests=sight.requests,
        intents=tuple(intents),
    )


def messages(place: Place, urls: Iterable[str]) -> int:
    """How many messages are in the queues; none in one that is gone."""
    total = 0
    for url in filter(None, urls):
        try:
            total += place.queues.at(url).counts().total
        except CALL_FAILED as error:
            if not is_gone(error):
                raise  # unknown is not none
    return total


def _job(place: Place, job: Job) -> JobLeft:
    counts = place.ledger.counts(job.name) if place.ledger else {}
    return JobLeft(
        name=job.name,
        tasks=sum(counts.get(state, 0) for state in OPEN),
        messages=messages(place, [job.queue_url]) if job.own_queue else 0,
        enqueues=len(job.enqueues),
        deleting=job.deleting,
    )
