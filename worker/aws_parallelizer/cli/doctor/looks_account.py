"""Looks at who calls, at the stack, and at what is to be launched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from aws_parallelizer.aws import clients, identity
from aws_parallelizer.aws.api import Api, ApiError
from aws_parallelizer.aws.cloudformation import Stacks
from aws_parallelizer.aws.s3 import S3
from aws_parallelizer.cli.doctor import account, storage
from aws_parallelizer.cli.doctor.chart import Chart, known
from aws_parallelizer.cli.doctor.finding import Finding, failed, ok, sentence, warning
from aws_parallelizer.core import parameters
from aws_parallelizer.core.errors import NotFound, ParameterError
from aws_parallelizer.core.job import StackDefaults, checked_name, settle
from aws_parallelizer.core.parameters import Parameters, Parsed

NEW = "new"  # the name of a job that has none yet
_NO_ZIP = "-"  # stands for an environmentZip that `create --environment` will give


def region(chart: Chart) -> Finding:
    chart.region = clients.session().region_name
    return account.region(chart.region, api=chart.request.api)


def credentials(chart: Chart) -> tuple[Finding, ...]:
    """Whose they are, and by the same answer how AWS's clock goes."""
    known(chart.region, "region")
    caller = identity.caller(clients.client("sts"))
    chart.account = caller.account or None
    clock = account.clock(caller.date, now=datetime.now(UTC))
    return account.credentials(caller), clock


def stack(chart: Chart) -> Finding:
    name, api = chart.request.stack, chart.request.api
    found = Stacks(chart.client("cloudformation")).find(name)
    if found and all(output in found.outputs for output in account.OUTPUTS):
        chart.stack = found
    return account.stack(name, found, region=known(chart.region, "region"), api=api)


def api(chart: Chart) -> Finding:
    base = chart.request.api or known(chart.stack, "stack").outputs["EndpointURL"]
    known(chart.account, "credentials")
    client = Api(clients.session(), base=base, region=known(chart.region, "region"))
    try:
        client.get("/jobs", limit="1")
    except ApiError as error:
        return failed("api", str(error))
    chart.api = client
    return ok("api", f"{base} answers a signed call")


def job(chart: Chart) -> Finding:
    """What is to be launched: a file's parameters, a job's, or the stack's defaults."""
    name = chart.request.job
    if chart.request.lines is not None:
        return _of_file(chart, chart.request.lines, name or NEW)
    if not name:
        given = Parameters(environment_zip="", analysis_program="")
        chart.parameters = _settled(chart, given, NEW)
        return ok("job", "none is given: the stack's defaults are checked")
    try:
        document = known(chart.api, "api").get(f"/jobs/{checked_name(name)}")
        chart.parameters = parameters.parse_json(document["parameters"]).parameters
    except (ApiError, ParameterError) as error:
        return failed("job", str(error))
    return ok("job", f"{name} is there")


def _of_file(chart: Chart, lines: str, name: str) -> Finding:
    try:
        parsed, told = _parsed(lines)
        chart.parameters = _settled(chart, parsed.parameters, checked_name(name))
    except ParameterError as error:
        cause = " ".join(problem.sentence for problem in error.problems)
        return failed("job", cause, "Mend the file.")
    strange = [*parsed.warnings, *_other_region(chart, told)]
    if strange:
        return warning("job", " ".join(strange), "Take such lines out of the file.")
    return ok("job", "the file's parameters are all allowed")


def _parsed(lines: str) -> tuple[Parsed, dict[str, str]]:
    pairs, problems = parameters.read_lines(lines)
    told = dict(pairs)
    if told.get("environmentZip"):
        return parameters.parse_pairs(pairs, problems), told
    pairs = [pair for pair in pairs if pair[0] != "environmentZip"]
    parsed = parameters.parse_pairs([*pairs, ("environmentZip", _NO_ZIP)], problems)
    without = msgspec.structs.replace(parsed.parameters, environment_zip="")
    return parsed._replace(parameters=without), told


def _other_region(chart: Chart, told: dict[str, str]) -> Sequence[str]:
    wanted = told.get("EC2SQSRegion", "")
    if not wanted or wanted == chart.region:
        return ()
    return (f"EC2SQSRegion={wanted} is not heeded: the stack is in {chart.region}.",)


def _settled(chart: Chart, given: Parameters, name: str) -> Parameters:
    if chart.stack is None:
        return given
    outputs = chart.stack.outputs
    defaults = StackDefaults(
        input_bucket=outputs["InputBucket"],
        output_bucket=outputs["OutputBucket"],
        environment_bucket=outputs["EnvironmentBucket"],
        region=known(chart.region, "region"),
    )
    return settle(given, job=name, stack=defaults)


def bucket(kind: str, *, field: str, output: str) -> Callable[[Chart], Finding]:
    """The look at one of a job's buckets: the parameter's field, and the stack's output."""

    def look(chart: Chart) -> Finding:
        name = known(getattr(known(chart.parameters, "job"), field), "stack")
        stacks = chart.stack.outputs[output] if chart.stack else None
        try:
            found = S3(chart.client("s3")).region(name)
        except NotFound as error:
            cure = "Make it, or leave the parameter out: the stack has one of its own."
            return failed(kind, sentence(error), cure)
        here = known(chart.region, "region")
        return storage.bucket(kind, name, found, region=here, stacks=stacks)

    return look
