"""What Chalice packages: the template's promises and the code's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chalicelib import steps
from chalicelib.settings import Settings
from deploy import package as packaging
from deploy.package import CODE, TEMPLATE, PackagingFailed, package

CONTROL = Path(packaging.__file__).parent.parent
GATEWAYS = CONTROL.parent / "worker" / "aws_parallelizer" / "aws"
RESOURCES = json.loads((CONTROL / "resources.json").read_text())
ROUTES = {
    ("/jobs", "get"),
    ("/jobs/{job}", "put"),
    ("/jobs/{job}", "get"),
    ("/jobs/{job}", "delete"),
    ("/jobs/{job}/enqueue", "post"),
    ("/jobs/{job}/tasks", "get"),
    ("/jobs/{job}/task", "get"),
    ("/jobs/{job}/instances", "get"),
    ("/jobs/{job}/instances", "post"),
    ("/jobs/{job}/instances", "delete"),
}
FUNCTIONS = {"APIHandler", "OnUpload", "OnStep", "Reconcile"}

Template = dict[str, Any]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packaged")
    package(out)
    return out


@pytest.fixture(scope="module")
def template(packaged: Path) -> Template:
    found: Template = json.loads((packaged / TEMPLATE).read_text())
    return found


def functions(template: Template) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def statements(template: Template, role: str) -> Iterator[dict[str, Any]]:
    for policy in template["Resources"][role]["Properties"]["Policies"]:
        yield from policy["PolicyDocument"]["Statement"]


def actions(template: Template, role: str) -> set[str]:
    found = set()
    for statement in statements(template, role):
        if statement["Effect"] == "Allow":
            given = statement["Action"]
            found |= {given} if isinstance(given, str) else set(given)
    return found


def test_every_route_is_signed_and_there_are_no_others(template: Template) -> None:
    api = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    found = {
        (path, method): operation
        for path, operations in api["paths"].items()
        for method, operation in operations.items()
    }
    assert set(found) == ROUTES
    for operation in found.values():
        [scheme] = [name for names in operation["security"] for name in names]
        signed = api["securityDefinitions"][scheme]
        assert signed["x-amazon-apigateway-authtype"] == "awsSigv4"


def test_the_api_is_regional(template: Template) -> None:
    assert template["Resources"]["RestAPI"]["Properties"]["EndpointConfiguration"] == "REGIONAL"


def test_the_functions_and_what_starts_them_are_exactly_these(template: Template) -> None:
    found = functions(template)
    assert set(found) == FUNCTIONS
    started = {
        name: [
            (event["Type"], event["Properties"]) for event in function.get("Events", {}).values()
        ]
        for name, function in found.items()
    }
    assert started["APIHandler"] == []
    assert started["Reconcile"] == [("Schedule", {"Schedule": "rate(1 minute)"})]
    [(kind, upload)] = started["OnUpload"]
    assert (kind, upload["Queue"]) == ("SQS", {"Fn::GetAtt": ["UploadsQueue", "Arn"]})
    assert upload["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    [(kind, step)] = started["OnStep"]
    assert (kind, step["Queue"]) == ("SQS", {"Fn::GetAtt": ["StepsQueue", "Arn"]})
    assert step["BatchSize"] == 1


def test_what_is_merged_into_chalices_resources_bears_names_that_it_made(
    tmp_path: Path,
) -> None:
    bare = tmp_path / "control"
    packaging._copy(bare)
    (bare / "resources.json").write_text("{}")
    out = tmp_path / "out"
    packaging._run_chalice(bare, out)
    made = json.loads((out / TEMPLATE).read_text())["Resources"]
    merged = {name: r for name, r in RESOURCES["Resources"].items() if "Type" not in r}
    assert set(merged) == FUNCTIONS
    for name, resource in merged.items():
        events = resource["Properties"].get("Events", {})
        assert set(events) <= set(made[name]["Properties"].get("Events", {}))


def test_answers_that_are_out_of_date_are_dropped_by_the_table_itself(template: Template) -> None:
    table = template["Resources"]["Ledger"]["Properties"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}


def test_no_placeholder_is_left(template: Template) -> None:
    assert "set-by-resources" not in json.dumps(template)


def test_every_setting_is_in_the_functions_environment(template: Template) -> None:
    given = template["Globals"]["Function"]["Environment"]["Variables"]
    lambdas_own = {"AWS_REGION"}
    assert set(given) | lambdas_own == {name.upper() for name in Settings.__struct_fields__}


def test_the_lease_outlasts_the_function_that_holds_it(template: Template) -> None:
    lease = template["Globals"]["Function"]["Environment"]["Variables"]["LEASE_SECONDS"]
    found = functions(template)
    assert float(lease) > found["Reconcile"]["Timeout"] == found["OnStep"]["Timeout"] == 300


def test_a_step_is_given_up_at_the_delivery_after_which_the_queue_gives_it_up(
    template: Template,
) -> None:
    queue = template["Resources"]["StepsQueue"]["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == steps.DELIVERIES


@pytest.mark.parametrize(
    ("queue", "function"), [("UploadsQueue", "OnUpload"), ("StepsQueue", "OnStep")]
)
def test_a_message_stays_hidden_longer_than_its_function_may_run(
    template: Template, queue: str, function: str
) -> None:
    hidden = template["Resources"][queue]["Properties"]["VisibilityTimeout"]
    assert hidden > functions(template)[function]["Timeout"]


def test_dead_letters_are_kept_as_long_as_sqs_can(template: Template) -> None:
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::SQS::Queue":
            assert resource["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600, name


def test_buckets_are_private_and_drop_the_parts_of_broken_uploads(
    template: Template,
) -> None:
    buckets = [r for r in template["Resources"].values() if r["Type"] == "AWS::S3::Bucket"]
    assert len(buckets) == 3
    for bucket in buckets:
        properties = bucket["Properties"]
        assert all(properties["PublicAccessBlockConfiguration"].values())
        [rule] = properties["LifecycleConfiguration"]["Rules"]
        assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7


def test_only_reconcile_may_change_ec2_and_only_what_bears_the_stacks_tag(
    template: Template,
) -> None:
    for role in ("ApiRole", "UploadRole"):
        assert not any(action.startswith("ec2:") for action in actions(template, role))
    ending = re.compile("Terminate|Stop|Start|Cancel|Delete")
    for role in ("ReconcileRole", "WorkerRole"):
        for statement in statements(template, role):
            if ending.search(str(statement["Action"])) and "ec2:" in str(statement["Action"]):
                tags = statement["Condition"]["StringEquals"]
                assert tags == {"aws:ResourceTag/parallelizer:stack": {"Ref": "AWS::StackName"}}


@pytest.mark.parametrize(
    ("role", "modules"),
    [("ReconcileRole", ["ec2", "ec2_setup", "ssm"]), ("WorkerRole", ["spot"])],
)
def test_a_role_may_make_every_call_that_its_gateways_make(
    template: Template, role: str, modules: list[str]
) -> None:
    prefixes = {"ec2": "ec2", "ec2_setup": "ec2", "ssm": "ssm", "spot": "ec2"}
    made = set()
    for module in modules:
        source = (GATEWAYS / f"{module}.py").read_text()
        verbs = "cancel|create|delete|describe|get|run|terminate"
        called = re.findall(rf'(?:client\.|")((?:{verbs})_[a-z_]+)[("]', source)
        methods = set(called) - {"get_paginator"}
        assert methods, module
        made |= {f"{prefixes[module]}:{method.title().replace('_', '')}" for method in methods}
    assert made <= actions(template, role)


def test_a_worker_may_neither_read_the_stacks_own_queues_nor_write_its_inputs(
    template: Template,
) -> None:
    allowed = actions(template, "WorkerRole")
    assert "s3:DeleteObject" not in allowed
    assert "sqs:SendMessage" not in allowed
    [denied] = [s for s in statements(template, "WorkerRole") if s["Effect"] == "Deny"]
    assert {"Fn::GetAtt": ["UploadsQueue", "Arn"]} in denied["Resource"]
    for statement in statements(template, "WorkerRole"):
        if "s3:PutObject" in statement["Action"]:
            assert statement["Resource"] == {"Fn::Sub": "${OutputBucket.Arn}/*"}


def test_cfn_lint_finds_nothing(packaged: Path) -> None:
    # As a module it has no entry.
    command = "import sys; from cfnlint.runner import main; sys.exit(main())"
    arguments = ["--template", str(packaged / TEMPLATE), "--regions", "us-east-1"]
    ended = subprocess.run(
        [sys.executable, "-c", command, *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_code_holds_the_library_and_what_it_needs_and_not_the_laptops_side(
    packaged: Path,
) -> None:
    names = set(zipfile.ZipFile(packaged / CODE).namelist())
    assert {"app.py", "chalicelib/api.py", "aws_parallelizer/core/task.py"} <= names
    assert any(name.startswith("msgspec/") for name in names)
    for unwanted in ("deploy/", "local/", "boto3/", "obstore/", "typer/"):
        assert not any(name.startswith(unwanted) for name in names), unwanted


def test_wheels_and_functions_are_of_one_architecture(packaged: Path, template: Template) -> None:
    [architecture] = {one for f in functions(template).values() for one in f["Architectures"]}
    built_for = {"x86_64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[architecture]
    built = [n for n in zipfile.ZipFile(packaged / CODE).namelist() if n.endswith(".so")]
    assert built
    assert all(built_for in name for name in built)


def test_the_app_imports_without_aws_and_without_what_lambda_lacks(
    packaged: Path, tmp_path: Path
) -> None:
    zipfile.ZipFile(packaged / CODE).extractall(tmp_path)
    program = (
        "import sys\n"
        "for name in ('obstore', 'typer', 'rich', 'local', 'deploy'):\n"
        "    sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import app\n"
        f"assert app.__file__.startswith({str(tmp_path)!r})\n"
        "assert app.on_upload and app.on_step and app.reconcile\n"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-c", program],
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_a_packaging_that_fails_says_what_chalice_said(
    tmp_path: Path,
) -> None:
    broken = tmp_path / "control"
    packaging._copy(broken)
    (broken / "app.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(PackagingFailed, match="nothing_of_this_name"):
        packaging._run_chalice(broken, tmp_path / "out")


def test_the_steps_that_functions_send_one_another_have_the_names_of_the_interface() -> None:
    assert msgspec.json.encode(steps.Reconcile()) == b'{"step":"reconcile"}'
    assert steps.decode('{"step": "purge", "job": "x"}') == steps.Purge(job="x")
