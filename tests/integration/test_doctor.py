"""The doctor as a user calls it: on a deployed stack, with one thing after the other missing."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import emulator
from aws_parallelizer.aws import clients
from aws_parallelizer.cli.main import app
from integration.doctored import IMAGE_PARAMETER, STACK, Desk, Findings, Place
from integration.local_ec2 import serving
from stackhand import Stack

LACKING = {"internet", "architecture", "spot quota", "spot role"}  # in every emulator
LINES = "analysisProgram=run.sh\nenvironmentZip=e.zip\n"


@pytest.fixture(scope="module")
def place(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    stack = Stack(endpoint, STACK, f"ImageParameter={IMAGE_PARAMETER}")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("run.sh", "#!/bin/sh\n")
    stack.client("s3").put_object(
        Bucket=stack.outputs["EnvironmentBucket"], Key="e.zip", Body=archive.getvalue()
    )
    with serving(tmp_path_factory.mktemp("ec2")) as server:
        image = server.ec2.register_image(Name="made")["ImageId"]
        stack.client("ssm").put_parameter(Name=IMAGE_PARAMETER, Value=image, Type="String")
        yield Place(stack, server.ec2, server.endpoint, image)


@pytest.fixture
def desk(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name, value in {
        **emulator.CREDENTIALS,
        "AWS_ENDPOINT_URL": place.stack.endpoint,
        "AWS_ENDPOINT_URL_EC2": place.ec2_endpoint,
        "AWS_REGION": emulator.REGION,
        "PARALLELIZER_API": place.stack.base,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    yield Desk(place, tmp_path, [], {}, monkeypatch)
    assert place.ec2.describe_instances()["Reservations"] == []


def verdicts(findings: Findings, verdict: str) -> set[str]:
    return {name for name, found in findings.items() if found["verdict"] == verdict}


def test_a_stack_with_all_that_a_launch_needs_passes(desk: Desk) -> None:
    found = desk.run("--parameters", desk.file(LINES))
    assert verdicts(found, "not checked") == LACKING
    assert verdicts(found, "failed") == verdicts(found, "warning") == set()
    assert "run.sh, #!/bin/sh" in found["environment"]["cause"]
    asked = [sent for operation, sent in desk.calls if operation == "RunInstances"]
    assert [sent["ImageId"] for sent in asked] == [desk.place.image]


def test_without_a_job_the_stacks_defaults_are_checked(desk: Desk) -> None:
    found = desk.run()
    assert verdicts(found, "not checked") == LACKING | {"environment"}
    assert verdicts(found, "failed") == set()


def test_a_jobs_own_parameters_are_checked(desk: Desk) -> None:
    wanted = {"environmentZip": "e.zip", "analysisProgram": "other.sh", "onDemandAfter": 5}
    desk.place.stack.api.put("/jobs/checked", wanted)
    found = desk.run("--job", "checked", code=1)
    assert verdicts(found, "failed") == {"environment"}
    assert "no file other.sh; it has: run.sh" in found["environment"]["cause"]
    assert "on-demand quota" in found


@pytest.mark.parametrize(
    ("lines", "name", "says"),
    [
        ("imageID=ami-0123456789abcdef0", "image", "does not exist"),
        ("subnets=subnet-0123", "subnets", "does not exist"),
        ("securityGroup=sg-0123", "security group", "does not exist"),
        ("securityGroup=nameless", "security group", "no security group nameless"),
        ("keyPair=lost", "key pair", "does not exist"),
        ("instanceType=zz9.large", "instance types", "zz9.large"),
        ("inputBucket=nobodys-bucket", "input bucket", "no bucket nobodys-bucket"),
        ("outputBucket=nobodys-bucket", "output bucket", "no bucket nobodys-bucket"),
        ("environmentPrefix=deep", "environment", "no file deep/run.sh"),
        ("maxInstances=0", "job", "maxInstances is '0'"),
    ],
)
def test_one_thing_that_is_missing_is_one_failure_that_stops_no_other_check(
    desk: Desk, lines: str, name: str, says: str
) -> None:
    found = desk.run("--parameters", desk.file(LINES + lines), code=1)
    assert verdicts(found, "failed") == {name}
    assert says in found[name]["cause"]
    assert found["api"]["verdict"] == "ok"
    assert "launch" in found


def test_a_key_pair_and_types_that_are_there_pass(desk: Desk) -> None:
    desk.place.ec2.create_key_pair(KeyName="mine")
    lines = f"{LINES}keyPair=mine\ninstanceType=m5.large,g5.xlarge\nmaxPrice=0.1"
    found = desk.run("--parameters", desk.file(lines))
    assert found["key pair"]["verdict"] == found["instance types"]["verdict"] == "ok"


def test_a_zip_that_is_not_there_or_no_zip_is_told(desk: Desk) -> None:
    bucket = desk.place.stack.outputs["EnvironmentBucket"]
    desk.place.stack.client("s3").put_object(Bucket=bucket, Key="text.zip", Body=b"text")
    for key, says in (("gone.zip", "no object gone.zip"), ("text.zip", "no zip")):
        found = desk.run("--parameters", desk.file(LINES.replace("e.zip", key)), code=1)
        assert verdicts(found, "failed") == {"environment"}
        assert says in found["environment"]["cause"]


def test_a_file_without_a_zip_is_checked_for_all_else(desk: Desk) -> None:
    found = desk.run("--parameters", desk.file("analysisProgram=run.sh\nEC2SQSRegion=eu-west-3"))
    assert verdicts(found, "not checked") == LACKING | {"environment"}
    assert "eu-west-3 is not heeded" in found["job"]["cause"]


def test_an_image_that_nobody_made_is_told(desk: Desk) -> None:
    ssm = desk.place.stack.client("ssm")
    ssm.delete_parameter(Name=IMAGE_PARAMETER)
    try:
        found = desk.run(code=1)
    finally:
        ssm.put_parameter(Name=IMAGE_PARAMETER, Value=desk.place.image, Type="String")
    assert verdicts(found, "failed") == {"image"}
    assert IMAGE_PARAMETER in found["image"]["cause"]
    assert found["launch"]["cause"] == "it needs image, see above"


def test_an_unknown_job_is_told(desk: Desk) -> None:
    found = desk.run("--job", "nowhere", code=1)
    assert verdicts(found, "failed") == {"job"}


def test_without_a_stack_what_needs_it_says_so(desk: Desk) -> None:
    found = desk.run("--stack", "nowhere")
    assert found["stack"]["verdict"] == "warning"
    assert found["launch"]["cause"] == "it needs stack, see above"
    desk.environment.delenv("PARALLELIZER_API")
    assert verdicts(desk.run("--stack", "nowhere", code=1), "failed") == {"stack"}


def test_without_credentials_or_region_nothing_of_aws_is_asked(desk: Desk) -> None:
    desk.environment.delenv("AWS_SECRET_ACCESS_KEY")
    found = desk.run(code=1)
    assert verdicts(found, "failed") == {"credentials"}
    desk.environment.delenv("AWS_REGION")
    desk.environment.delenv("AWS_DEFAULT_REGION", raising=False)
    found = desk.run(code=1)
    assert verdicts(found, "failed") == {"region"}
    assert desk.calls == [] or {operation for operation, _ in desk.calls} == {"GetCallerIdentity"}


def test_expired_credentials_and_a_clock_that_is_off_are_told(desk: Desk) -> None:
    desk.refuse("GetCallerIdentity", "ExpiredToken", date="Sun, 01 Feb 2015 00:00:00 GMT")
    found = desk.run(code=1)
    assert verdicts(found, "failed") == {"credentials", "clock"}
    assert found["launch"]["verdict"] == "not checked"


def test_an_api_that_does_not_answer_stops_no_other_check(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aws_parallelizer.aws.api._TRIES", 1)
    desk.environment.setenv("PARALLELIZER_API", f"http://127.0.0.1:{emulator.free_port()}/api")
    found = desk.run(code=1)
    assert verdicts(found, "failed") == {"api"}
    assert found["launch"]["verdict"] == "ok"


def test_a_call_that_is_not_allowed_is_not_checked_and_fails_nothing(desk: Desk) -> None:
    for operation in ("GetInstanceProfile", "GetRole", "GetServiceQuota", "DescribeKeyPairs"):
        desk.refuse(operation, "AccessDenied", message="not you")
    found = desk.run("--parameters", desk.file(LINES + "keyPair=mine"))
    lost = {"instance profile", "spot role", "spot quota", "key pair"}
    assert verdicts(found, "not checked") == LACKING | lost
    for name in lost:
        assert "not you" in found[name]["cause"]


def test_a_quota_that_is_too_small_is_told(desk: Desk) -> None:
    for value, verdict, code in ((0.0, "failed", 1), (5.0, "warning", 0), (64.0, "ok", 0)):
        desk.answers["GetServiceQuota"] = lambda value=value: {"Quota": {"Value": value}}  # type: ignore[misc]
        assert desk.run(code=code)["spot quota"]["verdict"] == verdict


def test_a_launch_that_is_not_allowed_is_said_in_words(desk: Desk) -> None:
    message = "You are not. Encoded authorization failure message: AbC"
    desk.refuse("RunInstances", "UnauthorizedOperation", message=message)
    context = {"action": "ec2:RunInstances", "resource": "arn:x"}
    told = {"explicitDeny": True, "context": context}
    desk.answers["DecodeAuthorizationMessage"] = lambda: {"DecodedMessage": json.dumps(told)}
    found = desk.run()
    assert found["launch"]["verdict"] == "warning"
    assert "ec2:RunInstances on arn:x" in found["launch"]["cause"]
    desk.refuse("DecodeAuthorizationMessage", "AccessDenied")
    assert desk.run()["launch"]["verdict"] == "not checked"


def test_a_profile_without_a_role_fails(desk: Desk) -> None:
    iam = desk.place.stack.client("iam")
    name = desk.place.stack.outputs["WorkerProfile"].rpartition("/")[2]
    [role] = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
    named = {"InstanceProfileName": name, "RoleName": role["RoleName"]}
    iam.remove_role_from_instance_profile(**named)
    try:
        found = desk.run(code=1)
    finally:
        iam.add_role_to_instance_profile(**named)
    assert verdicts(found, "failed") == {"instance profile"}


def test_ways_to_the_internet_are_told_where_there_are_any(desk: Desk) -> None:
    desk.environment.setattr(clients, "speaks_to_aws", lambda client: True)
    assert "no route to the internet" in desk.run(code=1)["internet"]["cause"]
    ec2 = desk.place.ec2
    vpc = ec2.describe_subnets()["Subnets"][0]["VpcId"]
    [table] = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])[
        "RouteTables"
    ]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_route(
        RouteTableId=table["RouteTableId"],
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=gateway,
    )
    found = desk.run(code=1)
    assert found["internet"]["verdict"] == "ok"
    assert verdicts(found, "failed") == {"spot role"}


def test_lines_for_people_bear_verdict_cause_and_cure(desk: Desk) -> None:
    lines = LINES + "keyPair=lost\n"
    arguments = ["doctor", "--stack", STACK, "--parameters", desk.file(lines)]
    clients.session.cache_clear()
    told = CliRunner().invoke(app, arguments).stdout.splitlines()
    clients.session.cache_clear()
    [line] = [line for line in told if "key pair" in line]
    assert re.fullmatch(r"failed +key pair +lost: .*lost.*\. Set keyPair to .*", line)
    assert any(re.match(r"ok +launch +EC2 would launch a spot c7i.large in", line) for line in told)
