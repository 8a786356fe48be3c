"""All that an account has, service by service, by name: so that a test can say what is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import emulator

_ENDED = ("cancelled", "closed", "failed")


def take(endpoint: str, ec2_endpoint: str) -> set[str]:
    """Every thing of every service that the stack or its jobs use, each as `service: name`."""
    found: set[str] = set()
    for service, names in SERVICES.items():
        client = emulator.client(service, ec2_endpoint if service == "ec2" else endpoint)
        found |= {f"{service}: {name}" for name in names(client)}
    return found


def _all(client: Any, operation: str, expression: str, **arguments: Any) -> list[str]:
    pages = client.get_paginator(operation).paginate(**arguments)
    return [str(name) for name in pages.search(expression) if name is not None]


def _iam(client: Any) -> list[str]:
    return [
        *_all(client, "list_roles", "Roles[].RoleName"),
        *_all(client, "list_instance_profiles", "InstanceProfiles[].InstanceProfileName"),
        *_all(client, "list_policies", "Policies[].PolicyName", Scope="Local"),
    ]


def _ec2(client: Any) -> list[str]:
    requests = client.describe_spot_instance_requests()["SpotInstanceRequests"]
    instances = _all(
        client,
        "describe_instances",
        "Reservations[].Instances[?State.Name != 'terminated'][].InstanceId",
    )
    return [
        *instances,
        *(each["SpotInstanceRequestId"] for each in requests if each["State"] not in _ENDED),
        *_all(client, "describe_launch_templates", "LaunchTemplates[].LaunchTemplateName"),
    ]


def _lambda(client: Any) -> list[str]:
    return [
        *_all(client, "list_functions", "Functions[].FunctionName"),
        *_all(client, "list_event_source_mappings", "EventSourceMappings[].UUID"),
    ]


SERVICES: dict[str, Callable[[Any], list[str]]] = {
    "apigateway": lambda client: _all(client, "get_rest_apis", "items[].id"),
    "cloudformation": lambda client: _all(client, "describe_stacks", "Stacks[].StackName"),
    "cloudwatch": lambda client: _all(client, "describe_alarms", "MetricAlarms[].AlarmName"),
    "dynamodb": lambda client: _all(client, "list_tables", "TableNames[]"),
    "ec2": _ec2,
    "events": lambda client: [rule["Name"] for rule in client.list_rules()["Rules"]],
    "iam": _iam,
    "lambda": _lambda,
    "logs": lambda client: _all(client, "describe_log_groups", "logGroups[].logGroupName"),
    "s3": lambda client: [each["Name"] for each in client.list_buckets()["Buckets"]],
    "sns": lambda client: _all(client, "list_topics", "Topics[].TopicArn"),
    "sqs": lambda client: _all(client, "list_queues", "QueueUrls[]"),
}
