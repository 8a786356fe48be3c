"""The packaged roles: each may do what its code does, and little else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from packages import CONTROL, ROLES, Template, actions, of_type, statements

GATEWAYS = CONTROL.parent / "worker" / "aws_parallelizer" / "aws"
ALL_ROLES = sorted({*ROLES.values(), "WorkerRole"})


def every_statement(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    for role in ALL_ROLES:
        for statement in statements(template, role):
            yield role, statement


def test_there_are_no_roles_but_these_and_nothing_is_granted_elsewhere(template: Template) -> None:
    roles = of_type(template, "AWS::IAM::Role")
    assert sorted(roles) == ALL_ROLES
    assert not any("ManagedPolicyArns" in role for role in roles.values())
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert {kind for kind in kinds if kind.startswith("AWS::IAM::")} == {
        "AWS::IAM::Role",
        "AWS::IAM::InstanceProfile",
    }


def test_nothing_but_describing_is_allowed_on_everything(template: Template) -> None:
    for role, statement in every_statement(template):
        if any(resource == "*" for resource in statement["Resource"]):
            assert all(re.match("ec2:Describe", one) for one in statement["Action"]), role
        assert not any("*" in one for one in statement["Action"] if statement["Effect"] == "Allow")


def test_every_statement_says_what_it_is_for(template: Template) -> None:
    names = [(role, statement["Sid"]) for role, statement in every_statement(template)]
    assert len(set(names)) == len(names)


def test_nobody_may_write_logs_but_its_own_nor_make_any(template: Template) -> None:
    for role in set(ROLES.values()):
        functions = [name for name, own in ROLES.items() if own == role]
        [logs] = [s for s in statements(template, role) if s["Sid"] == "Logs"]
        found = sorted(resource["Fn::GetAtt"][0] for resource in logs["Resource"])
        assert found == sorted(f"{name}Logs" for name in functions)
    [logs] = [s for s in statements(template, "WorkerRole") if "logs:" in str(s["Action"])]
    assert logs["Resource"] == [{"Fn::GetAtt": ["WorkerLogs", "Arn"]}]
    assert not any("logs:CreateLogGroup" in actions(template, role) for role in ALL_ROLES)


def test_only_reconcile_may_change_ec2_and_only_what_bears_the_stacks_tag(
    template: Template,
) -> None:
    for role in ("ApiRole", "UploadRole", "SpotEventRole"):
        assert not any(action.startswith("ec2:") for action in actions(template, role))
    ending = re.compile("Terminate|Stop|Start|Cancel|Delete")
    for role in ("ReconcileRole", "WorkerRole"):
        for statement in statements(template, role):
            if ending.search(str(statement["Action"])) and "ec2:" in str(statement["Action"]):
                tags = statement["Condition"]["StringEquals"]
                assert tags == {"aws:ResourceTag/parallelizer:stack": {"Ref": "AWS::StackName"}}


@pytest.mark.parametrize(
    ("role", "modules"),
    [("ReconcileRole", ["ec2", "ec2_setup", "ssm"]), ("WorkerRole", ["spot", "log_stream"])],
)
def test_a_role_may_make_every_call_that_its_gateways_make(
    template: Template, role: str, modules: list[str]
) -> None:
    prefixes = {"ec2": "ec2", "ec2_setup": "ec2", "ssm": "ssm", "spot": "ec2", "log_stream": "logs"}
    made = set()
    for module in modules:
        source = (GATEWAYS / f"{module}.py").read_text()
        verbs = "cancel|create|delete|describe|get|put|run|start|stop|terminate"
        called = re.findall(rf'(?:client\.|")((?:{verbs})_[a-z_]+)[("]', source)
        methods = set(called) - {"get_paginator"}
        assert methods, module
        made |= {f"{prefixes[module]}:{method.title().replace('_', '')}" for method in methods}
    assert made <= actions(template, role)


@pytest.mark.parametrize(("function", "queue"), [("OnUpload", "Uploads"), ("OnStep", "Steps")])
def test_lambda_may_read_the_queue_that_starts_a_function_in_its_roles_name(
    template: Template, function: str, queue: str
) -> None:
    own = [
        {"Fn::GetAtt": [f"{queue}Queue", "Arn"]},
        {
            "Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:"
            "${AWS::StackName}_*"
        },
    ]
    allowed = {
        action
        for statement in statements(template, ROLES[function])
        if any(resource in own for resource in statement["Resource"])
        for action in statement["Action"]
    }
    assert {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"} <= allowed


def test_reconcile_may_tell_people_in_this_account_and_region(template: Template) -> None:
    [told] = [s for s in statements(template, "ReconcileRole") if "sns:Publish" in s["Action"]]
    assert told["Resource"] == [
        {"Fn::Sub": "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:*"}
    ]
    others = set(ALL_ROLES) - {"ReconcileRole"}
    assert not any("sns:Publish" in actions(template, role) for role in others)


def test_whoever_hears_of_spot_events_may_write_marks_and_the_nudge_alone(
    template: Template,
) -> None:
    [ledger] = [s for s in statements(template, "SpotEventRole") if "dynamodb" in str(s["Action"])]
    assert ledger["Condition"] == {
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["mark", "lease"]}
    }
    # Which partition a query, a scan or a deletion is of is not for it to say.
    assert not {"dynamodb:Query", "dynamodb:Scan", "dynamodb:DeleteItem"} & set(ledger["Action"])


def test_a_worker_may_neither_read_the_stacks_own_queues_nor_write_its_inputs(
    template: Template,
) -> None:
    allowed = actions(template, "WorkerRole")
    assert "s3:DeleteObject" not in allowed
    assert "sqs:SendMessage" not in allowed
    # The stack's own queues are named by CloudFormation: the stack's name, a dash, and more.
    queues = [
        resource
        for statement in statements(template, "WorkerRole")
        if "sqs:ReceiveMessage" in statement["Action"]
        for resource in statement["Resource"]
    ]
    [queue] = queues
    assert queue["Fn::Sub"].endswith(":${AWS::StackName}_*")
    for statement in statements(template, "WorkerRole"):
        if "s3:PutObject" in statement["Action"]:
            [resource] = statement["Resource"]
            arn, name = resource["Fn::Sub"]
            assert arn == "arn:${AWS::Partition}:s3:::${Name}/*"
            assert name["Name"]["Fn::If"][1:] == [
                {"Ref": "OutputBucket"},
                {"Ref": "OutputBucketName"},
            ]


def test_queues_take_messages_from_this_accounts_buckets_alone(template: Template) -> None:
    [policy] = of_type(template, "AWS::SQS::QueuePolicy").values()
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert "AWS::AccountId" in json.dumps(statement["Condition"])
