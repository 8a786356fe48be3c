"""The permissions that the documentation asks of people are those of the calls that they make."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
GATEWAYS = REPOSITORY / "worker" / "aws_parallelizer" / "aws"
PAGE = (REPOSITORY / "docs" / "permissions.md").read_text()
SERVICES = {
    "survey": "ec2",
    "quotas": "servicequotas",
    "functions": "lambda",
    "ssm": "ssm",
}
BUCKETS = {  # where the permission is not named as the call
    "head_bucket": "s3:ListBucket",
    "list_buckets": "s3:ListAllMyBuckets",
    "list_object_versions": "s3:ListBucketVersions",
    "delete_objects": "s3:DeleteObject",
    "get_bucket_notification_configuration": "s3:GetBucketNotification",
    "put_bucket_notification_configuration": "s3:PutBucketNotification",
}
VERBS = (
    "create|decode|delete|deregister|describe|disable|enable|get|head|list|put|run|terminate|update"
)


def section(heading: str) -> str:
    found = re.search(rf"^{heading}(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def called(module: str) -> set[str]:
    """The methods of a client that a gateway calls, or whose pages it reads."""
    source = (GATEWAYS / f"{module}.py").read_text()
    found = set(
        re.findall(rf'(?:client\.|_lambda\.|_events\.|")((?:{VERBS})_[a-z_]+)(?=[^a-z_])', source)
    )
    return found - {"get_paginator"}


def permission(service: str, method: str) -> str:
    words = ("AWS" if word == "aws" else word.title() for word in method.split("_"))
    return f"{service}:{''.join(words)}"


def test_what_doctor_looks_at_is_asked_of_whoever_runs_it() -> None:
    told = section("`doctor` looks at more")
    for module, service in SERVICES.items():
        methods = called(module)
        assert methods, module
        assert {permission(service, method) for method in methods} <= set(
            re.findall(r"`(\w+:\w+)`", told)
        )
    for method in called("identity"):
        service = "iam" if method in ("get_role", "get_instance_profile") else "sts"
        assert f"`{permission(service, method)}`" in told


def test_what_destroy_calls_is_asked_of_whoever_deploys() -> None:
    told = set(re.findall(r"`([\w-]+:\w+)`", section("## Who deploys")))
    for method in called("buckets") | called("bucket_notifications"):
        assert BUCKETS.get(method, permission("s3", method)) in told, method
    for method in called("triggers"):
        service = "events" if method.endswith("_rule") else "lambda"
        assert permission(service, method) in told
    for module, service in {"log_groups": "logs", "service_roles": "iam"}.items():
        assert called(module)
        assert {permission(service, method) for method in called(module)} <= told


def test_whoever_only_uses_the_api_may_change_nothing_of_aws_but_objects() -> None:
    told = re.findall(r"`(\w+(?:-\w+)?:\w+)`", section("## Who uses the API").split("`doctor`")[0])
    assert set(told) == {
        "execute-api:Invoke",
        "cloudformation:DescribeStacks",
        "s3:ListBucket",
        "s3:GetObject",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
    }


def test_what_the_images_tools_call_is_asked_of_whoever_makes_the_image() -> None:
    told = set(re.findall(r"`([\w-]+:\w+)`", section("## Who makes the image")))
    for module in ("images", "image_users", "image_trials", "image_parameters"):
        service = "ssm" if module == "image_parameters" else "ec2"
        assert called(module), module
        assert {permission(service, method) for method in called(module)} <= told, module
