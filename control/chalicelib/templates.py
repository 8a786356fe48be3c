"""What each instance of a job is launched with: its launch template, and the pools it may be in."""

from __future__ import annotations

import base64
import hashlib
import itertools
from dataclasses import dataclass
from typing import Any

import msgspec

from aws_parallelizer.aws import ssm
from aws_parallelizer.aws.ec2 import as_tags
from aws_parallelizer.aws.ec2_setup import Ec2Setup, Subnet, TemplateVersion
from aws_parallelizer.core import user_data
from aws_parallelizer.core.errors import NotFound
from aws_parallelizer.core.fleet import TAG_JOB, TAG_STACK
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.launch_data import (
    DEFAULT_GROUP,
    DEFAULT_TYPES,
    DEFAULT_TYPES_VCPUS,
    LaunchSite,
    launch_data,
)
from aws_parallelizer.core.parameters import Parameters, as_text
from chalicelib.context import Context

MAX_POOLS = 300  # CreateFleet's limit of overrides


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where and how a job's instances are launched."""

    template: TemplateVersion
    pools: tuple[tuple[str, str], ...]


def name_of(job: Job, *, stack: str, on_demand: bool = False) -> str:
    """The launch template's name. No stack's or job's name has a slash, so no two share one."""
    return f"{stack}/{job.name}/{'on-demand' if on_demand else 'spot'}"


def job_tags(job: Job, *, stack: str) -> dict[str, str]:
    """What marks everything of a job."""
    return {TAG_STACK: stack, TAG_JOB: job.name}


def fingerprint(context: Context, job: Job) -> str:
    """What changes when the job's parameters or its environment do."""
    parameters = job.parameters
    environment = context.s3.etag(str(parameters.environment_bucket), parameters.environment_zip)
    said = f"{environment}\n{as_text(parameters)}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def slots(job: Job, setup: Ec2Setup) -> int:
    """How many tasks an instance runs side by side; of several types, the fewest."""
    if job.parameters.num_threads:
        return job.parameters.num_threads
    if job.parameters.instance_type is None:
        return DEFAULT_TYPES_VCPUS
    return min(setup.vcpus(job.parameters.instance_type).values())


def prepare(context: Context, job: Job, setup: Ec2Setup, *, on_demand: bool = False) -> Site:
    """The job's launch template, made or brought up to date; raises NotFound, whose text says which
    parameter or what of the stack is missing.
    """
    _require_environment(context, job.parameters)
    subnets = setup.subnets(job.parameters.subnets or context.settings.subnet_ids)
    data = _data(context, job, setup, vpc=subnets[0].vpc, on_demand=on_demand)
    encoded = msgspec.json.encode(data, order="sorted")
    stack = context.settings.stack
    template = setup.template(
        name_of(job, stack=stack, on_demand=on_demand),
        data=data,
        fingerprint=hashlib.sha256(encoded).hexdigest()[:16],
        tags=job_tags(job, stack=stack),
    )
    return Site(template=template, pools=pools(job.parameters, subnets))


def pools(parameters: Parameters, subnets: list[Subnet]) -> tuple[tuple[str, str], ...]:
    """Every (instance type, subnet)."""
    types = parameters.instance_type or DEFAULT_TYPES
    every = itertools.product(types, (subnet.id for subnet in subnets))
    return tuple(itertools.islice(every, MAX_POOLS))


def _data(
    context: Context, job: Job, setup: Ec2Setup, *, vpc: str, on_demand: bool
) -> dict[str, Any]:
    parameters, settings = job.parameters, context.settings
    image = _image(context, parameters)
    groups = parameters.security_group or (settings.security_group or DEFAULT_GROUP,)
    return launch_data(
        parameters,
        site=LaunchSite(
            image=image,
            root_device=setup.root_device(image),
            groups=setup.security_groups(groups, vpc=vpc),
            profile_arn=settings.instance_profile_arn,
            tags=as_tags(job_tags(job, stack=settings.stack)),
        ),
        user_data=base64.b64encode(_user_data(context, job).encode()).decode(),
        on_demand=on_demand,
    )


def _require_environment(context: Context, parameters: Parameters) -> None:
    """Instances without one would start and end, again and again, for money."""
    bucket, key = str(parameters.environment_bucket), parameters.environment_zip
    if not context.s3.etag(bucket, key):
        raise NotFound(f"no environment: upload {key} to bucket {bucket}, or set environmentZip")


def _image(context: Context, parameters: Parameters) -> str:
    name = context.settings.image_parameter
    image = parameters.image_id or ssm.parameter(context.client("ssm"), name=name)
    if not image:
        raise NotFound("no image: run make ami, or set imageID")
    return image


def _user_data(context: Context, job: Job) -> str:
    parameters = msgspec.structs.replace(job.parameters, queue_url=job.queue_url)
    return user_data.encode(
        user_data.UserData(
            parameters=parameters,
            job=job.name,
            ledger_table=context.ledger.table_name,
            stack=context.settings.stack,
        )
    )
