"""Looks at all that a launch takes, in the order in which one thing leads to the next."""

from __future__ import annotations

from aws_parallelizer.aws import clients, identity, quotas, remote_zip, ssm
from aws_parallelizer.aws.ec2 import as_tags
from aws_parallelizer.cli.doctor import launch as judged
from aws_parallelizer.cli.doctor import machines, network, storage
from aws_parallelizer.cli.doctor.chart import Chart, known
from aws_parallelizer.cli.doctor.finding import Finding, failed, not_checked, ok, sentence
from aws_parallelizer.cli.doctor.looks_account import NEW
from aws_parallelizer.core import user_data
from aws_parallelizer.core.errors import NotFound, ParameterError
from aws_parallelizer.core.fleet import TAG_JOB, TAG_STACK
from aws_parallelizer.core.launch_data import (
    DEFAULT_GROUP,
    DEFAULT_TYPES,
    LaunchSite,
    launch_data,
)
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.worker.environment import BROKEN

_HEAD_BYTES = 256  # of the program: its first line, or what an ELF file is built for


def image(chart: Chart) -> Finding:
    wanted, source = _parameters(chart).image_id, "imageID"
    if not wanted:
        source = known(chart.stack, "stack").parameters.get("ImageParameter", "")
        wanted = ssm.parameter(chart.client("ssm"), name=source)
    cure = "Run make ami, or set imageID."
    if not wanted:
        return failed(
            "image", f"The SSM parameter {source}, with the image's id, is not there.", cure
        )
    try:
        chart.image = chart.survey.image(wanted)
    except NotFound as error:
        return failed("image", sentence(f"{wanted} ({source}): {error}"), cure)
    return machines.image(chart.image, source=source)


def subnets(chart: Chart) -> Finding:
    parameters = _parameters(chart)
    ids = parameters.subnets or _listed(known(chart.stack, "stack").parameters.get("Subnets", ""))
    try:
        chart.subnets = chart.setup.subnets(ids)
    except NotFound as error:
        return failed("subnets", sentence(error), "Set subnets, or the stack's parameter Subnets.")
    return network.subnets(chart.subnets, instances=parameters.max_instances)


def internet(chart: Chart) -> Finding:
    found = known(chart.subnets, "subnets")
    survey, vpc = chart.survey, found[0].vpc
    return network.ways(
        found,
        survey.route_tables(vpc),
        survey.endpoints(vpc),
        aws=clients.speaks_to_aws(chart.client("ec2")),
    )


def security_group(chart: Chart) -> Finding:
    vpc = known(chart.subnets, "subnets")[0].vpc
    wanted = _parameters(chart).security_group
    if not wanted:
        wanted = (known(chart.stack, "stack").parameters.get("SecurityGroup") or DEFAULT_GROUP,)
    try:
        chart.groups = chart.setup.security_groups(wanted, vpc=vpc)
        found = chart.survey.groups(chart.groups)
    except NotFound as error:
        return failed("security group", sentence(error), "Set securityGroup to one that is there.")
    return network.groups(found, vpc=vpc)


def key_pair(chart: Chart) -> Finding | None:
    name = _parameters(chart).key_pair
    if not name:
        return None
    try:
        chart.survey.require_key_pair(name)
    except NotFound as error:
        return failed(
            "key pair", sentence(f"{name}: {error}"), "Set keyPair to one of this region."
        )
    return ok("key pair", name)


def profile(chart: Chart) -> Finding:
    arn = known(chart.stack, "stack").outputs["WorkerProfile"]
    try:
        roles = identity.profile_roles(chart.client("iam"), name=arn.rpartition("/")[2])
    except NotFound as error:
        return failed("instance profile", sentence(error), "Run make deploy, which makes it anew.")
    return machines.profile(arn, roles)


def types(chart: Chart) -> Finding:
    parameters = _parameters(chart)
    names = parameters.instance_type or DEFAULT_TYPES
    try:
        chart.kinds = chart.survey.kinds(names)
    except NotFound as error:
        return failed("instance types", sentence(error), "Mend instanceType.")
    found = known(chart.subnets, "subnets")
    offered = chart.survey.offered(names)
    chart.pools = [
        (kind, subnet.id) for subnet in found for kind in names if (kind, subnet.zone) in offered
    ]
    return machines.types(chart.kinds, offered, zones={subnet.zone for subnet in found})


def architecture(chart: Chart) -> Finding:
    return machines.architecture(known(chart.image, "image"), known(chart.kinds, "instance types"))


def spot_quota(chart: Chart) -> Finding:
    return _quota(chart, "spot", code=quotas.SPOT_STANDARD)


def on_demand_quota(chart: Chart) -> Finding | None:
    """Asked for only where on-demand instances may take over."""
    if not _parameters(chart).on_demand_after:
        return None
    return _quota(chart, "on-demand", code=quotas.ON_DEMAND_STANDARD)


def _quota(chart: Chart, market: str, *, code: str) -> Finding:
    kinds = machines.standard(known(chart.kinds, "instance types"))
    if not kinds:
        return not_checked(f"{market} quota", "only that of standard instance types is read here")
    allowed = quotas.vcpus(chart.client("service-quotas"), code=code)
    wanted = _parameters(chart).max_instances
    return machines.quota(market, allowed, kinds, instances=wanted, code=code)


def spot_role(chart: Chart) -> Finding:
    iam = chart.client("iam")
    there = identity.has_role(iam, name=identity.SPOT_ROLE)
    return machines.spot_role(there=there, aws=clients.speaks_to_aws(iam))


def environment(chart: Chart) -> Finding:
    parameters = _parameters(chart)
    key = parameters.environment_zip
    if not key:
        return storage.no_environment(
            given=bool(chart.request.job) or chart.request.lines is not None
        )
    bucket = known(parameters.environment_bucket, "stack")
    prefix, program = parameters.environment_prefix, parameters.analysis_program
    try:
        with remote_zip.opened(chart.client("s3"), bucket, key) as archive:
            members = archive.infolist()
            entry = storage.entry_of(members, prefix=prefix, program=program)
            found = None
            if entry and not entry.flag_bits & 0x1:  # one that is encrypted is refused unread
                with archive.open(entry) as file:
                    found = storage.Program(entry, file.read(_HEAD_BYTES))
    except NotFound as error:
        cure = "Upload it: `create --environment DIR` does."
        return failed(storage.ENVIRONMENT, sentence(error), cure)
    except BROKEN as error:
        cure = "Zip it anew: `create --environment DIR` makes a zip that is taken."
        return failed(
            storage.ENVIRONMENT, sentence(f"{key} is no zip that can be read: {error}"), cure
        )
    return storage.environment(
        key,
        members,
        found,
        wanted=f"{prefix}/{program}" if prefix else program,
        architecture=chart.image.architecture if chart.image else "",
    )


def launch(chart: Chart) -> Finding:
    """Ask EC2 whether it would launch one; it launches none."""
    parameters = _parameters(chart)
    stack = known(chart.stack, "stack")
    image = known(chart.image, "image")
    pools = known(chart.pools, "instance types")
    if not pools:
        return failed("launch", "There is no pool to launch in.", "See instance types.")
    kind, subnet = pools[0]
    job = chart.request.job or NEW
    told = user_data.UserData(
        parameters,
        job=job,
        ledger_table=stack.outputs["LedgerTable"],
        stack=chart.request.stack,
    )
    site = LaunchSite(
        image=image.id,
        root_device=image.root_device,
        groups=known(chart.groups, "security group"),
        profile_arn=stack.outputs["WorkerProfile"],
        tags=as_tags({TAG_STACK: chart.request.stack, TAG_JOB: job}),
    )
    try:
        data = launch_data(parameters, site=site, user_data=user_data.encode(told))
    except ParameterError as error:
        return failed("launch", str(error), "Shorten the parameters.")
    answer = chart.survey.launch_nothing(
        judged.arguments(parameters, data, kind=kind, subnet=subnet)
    )
    denial = None
    if answer.code == "UnauthorizedOperation":
        denial = _denial(chart, answer.message)
    return judged.verdict(answer, denial, pool=f"a spot {kind} in {subnet}")


def _denial(chart: Chart, message: str) -> identity.Denial | None:
    try:
        return identity.denial(chart.client("sts"), message=message)
    except clients.CALL_FAILED:
        return None  # who may not decode it learns less


def _parameters(chart: Chart) -> Parameters:
    return known(chart.parameters, "job")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())
