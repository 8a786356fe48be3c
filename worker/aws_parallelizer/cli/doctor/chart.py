"""What is known so far. Each look fills in what later ones need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.api import Api
from aws_parallelizer.aws.cloudformation import Stack
from aws_parallelizer.aws.ec2_setup import Ec2Setup, Subnet
from aws_parallelizer.aws.survey import Image, Kind, Survey
from aws_parallelizer.core.parameters import Parameters

T = TypeVar("T")


class Lacking(Exception):
    """A fact that another check should have found; its text is that check's name."""


class Request(NamedTuple):
    """What is to be checked. `api` is the API's address, if one is given; `job` a job's name, empty
    for none; `lines` the text of a parameter file, which goes before the job's own.
    """

    stack: str
    api: str = ""
    job: str = ""
    lines: str | None = None


@dataclass
class Chart:
    """The facts; None = not known (yet)."""

    request: Request
    region: str | None = None
    account: str | None = None
    stack: Stack | None = None
    api: Api | None = None
    parameters: Parameters | None = None
    subnets: Sequence[Subnet] | None = None
    groups: Sequence[str] | None = None
    image: Image | None = None
    kinds: Sequence[Kind] | None = None
    pools: Sequence[tuple[str, str]] | None = None
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A service's client; raises Lacking while it is not known who calls, and where."""
        known(self.region, "region")
        known(self.account, "credentials")
        if service not in self.clients:
            self.clients[service] = clients.client(service)
        return self.clients[service]

    @property
    def survey(self) -> Survey:
        """EC2, looked at."""
        return Survey(self.client("ec2"))

    @property
    def setup(self) -> Ec2Setup:
        """EC2, as launches look at it."""
        return Ec2Setup(self.client("ec2"))


def known(fact: T | None, check: str) -> T:
    """The fact; raises Lacking where there is none, which `check` would have found."""
    if fact is None:
        raise Lacking(check)
    return fact
