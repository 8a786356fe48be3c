"""The stack is deployed by the code behind `make deploy`, to an endpoint that the settings name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stackhand import Stack, run, run_deploy

STACK = "deployed"
OUTPUTS = {
    "RestAPIId",
    "EndpointURL",
    "ReconcileFunction",
    "InputBucket",
    "OutputBucket",
    "EnvironmentBucket",
    "LedgerTable",
    "UploadsQueue",
    "StepsQueue",
}


@pytest.fixture(scope="module")
def stack(endpoint: str) -> Stack:
    return Stack(endpoint, STACK, "EmptyReadings=2")


def environment(stack: Stack) -> dict[str, str]:
    function = stack.outputs["ReconcileFunction"]
    told = stack.client("lambda").get_function_configuration(FunctionName=function)
    found: dict[str, str] = told["Environment"]["Variables"]
    return found


def test_the_package_is_written_where_it_is_asked_for_and_its_sizes_told(
    endpoint: str, tmp_path: Path
) -> None:
    ended = run(endpoint, "package", "--out", str(tmp_path / "new" / "package"))
    assert ended.returncode == 0, ended.stderr
    for line, name in zip(ended.stdout.splitlines(), ("sam.json", "deployment.zip"), strict=True):
        path = tmp_path / "new" / "package" / name
        assert line == f"{path}  {path.stat().st_size:,} bytes"


def test_a_stack_is_made_and_tells_where_everything_is(stack: Stack) -> None:
    assert set(stack.outputs) >= OUTPUTS
    assert f"stack {STACK}: CREATE_COMPLETE" in stack.said
    assert "packaged" in stack.said
    assert "the on-demand prices could not be read" in stack.said  # ministack has no price list
    assert re.search(r"^ +\d+ s  Ledger CREATE_COMPLETE$", stack.said, re.MULTILINE)
    given = environment(stack)
    assert (given["EMPTY_READINGS"], given["EMPTY_SPAN_SECONDS"]) == ("2", "180")
    assert given["LEDGER_TABLE"] == stack.outputs["LedgerTable"]


def test_the_ledgers_index_and_its_recovery_are_there(stack: Stack) -> None:
    dynamodb = stack.client("dynamodb")
    table = dynamodb.describe_table(TableName=stack.outputs["LedgerTable"])["Table"]
    [index] = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "byState"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["state", "since"]


def test_deployed_again_nothing_changes_and_that_is_said(stack: Stack) -> None:
    ended = run(stack.endpoint, "deploy", "--stack", STACK)
    assert ended.returncode == 0, ended.stderr
    assert f"stack {STACK}: no changes" in ended.stdout


def test_the_role_for_spot_instances_is_made_once(stack: Stack) -> None:
    iam = stack.client("iam")
    for role in iam.list_roles(PathPrefix="/aws-service-role/")["Roles"]:
        iam.delete_role(RoleName=role["RoleName"])
    assert "made the role AWSServiceRoleForEC2Spot" in run_deploy(stack.endpoint, STACK).stdout
    assert "AWSServiceRoleForEC2Spot" not in run_deploy(stack.endpoint, STACK).stdout


def test_the_region_of_the_command_goes_before_that_of_the_settings(endpoint: str) -> None:
    there = run(endpoint, "deploy", "--stack", "elsewhere", "--region", "eu-west-1")
    assert there.returncode == 0, there.stderr
    assert "execute-api.eu-west-1." in there.stdout


def test_a_parameter_that_is_not_named_stays_as_it_was(stack: Stack) -> None:
    ended = run_deploy(stack.endpoint, STACK, "DrainSeconds=7")
    assert ended.returncode == 0, ended.stderr
    stack.refresh()
    given = environment(stack)
    assert (given["DRAIN_SECONDS"], given["EMPTY_READINGS"]) == ("7", "2")


@pytest.mark.parametrize(
    ("name", "parameter", "why"),
    [
        ("wrong", "Nothing=1", "Nothing"),
        ("wrong", "EmptyReadings", "Parameter=Value"),
        ("wrong", "EmptyReadings=0", "EmptyReadings"),
        ("x" * 35, "EmptyReadings=2", "34"),
    ],
)
def test_what_cannot_be_deployed_is_said_in_a_line_and_leaves_no_stack(
    endpoint: str, name: str, parameter: str, why: str
) -> None:
    ended = run_deploy(endpoint, name, parameter)
    assert ended.returncode != 0
    assert why in ended.stderr
    assert "Traceback" not in ended.stderr
