"""The packaged functions and the API: what starts each, how long it runs, what it is told."""

from __future__ import annotations

from chalicelib.settings import Settings
from packages import FUNCTIONS, ROLES, Template, functions, of_type

ROUTES = {
    ("/jobs", "get"),
    ("/jobs/{job}", "put"),
    ("/jobs/{job}", "get"),
    ("/jobs/{job}", "delete"),
    ("/jobs/{job}/enqueue", "post"),
    ("/jobs/{job}/retry", "post"),
    ("/jobs/{job}/tasks", "get"),
    ("/jobs/{job}/task", "get"),
    ("/jobs/{job}/instances", "get"),
    ("/jobs/{job}/instances", "post"),
    ("/jobs/{job}/instances", "delete"),
    ("/jobs/{job}/pause", "post"),
    ("/jobs/{job}/resume", "post"),
}
SECONDS = {"APIHandler": 29, "OnUpload": 60, "OnStep": 300, "OnSpotEvent": 30, "Reconcile": 300}


def test_every_route_is_signed_and_there_are_no_others(template: Template) -> None:
    [api] = of_type(template, "AWS::Serverless::Api").values()
    definition = api["DefinitionBody"]
    found = {
        (path, method): operation
        for path, operations in definition["paths"].items()
        for method, operation in operations.items()
    }
    assert set(found) == ROUTES
    for operation in found.values():
        [scheme] = [name for names in operation["security"] for name in names]
        signed = definition["securityDefinitions"][scheme]
        assert signed["x-amazon-apigateway-authtype"] == "awsSigv4"
    assert "AWS::Serverless::HttpApi" not in {r["Type"] for r in template["Resources"].values()}


def test_the_api_is_regional(template: Template) -> None:
    [api] = of_type(template, "AWS::Serverless::Api").values()
    assert api["EndpointConfiguration"] == "REGIONAL"


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
    [(kind, spot)] = started["OnSpotEvent"]
    assert kind == "EventBridgeRule"
    assert spot["Pattern"] == {
        "source": ["aws.ec2"],
        "detail-type": [
            "EC2 Spot Instance Interruption Warning",
            "EC2 Instance Rebalance Recommendation",
        ],
    }


def test_nothing_else_starts_a_function(template: Template) -> None:
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert not {"AWS::Lambda::EventSourceMapping", "AWS::Events::Rule", "AWS::Lambda::Url"} & kinds
    permissions = of_type(template, "AWS::Lambda::Permission").values()
    assert [one["Principal"] for one in permissions] == ["apigateway.amazonaws.com"]


def test_each_function_has_its_role_and_its_log(template: Template) -> None:
    for name, function in functions(template).items():
        assert function["Role"] == {"Fn::GetAtt": [ROLES[name], "Arn"]}
        assert function["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Logs"}}


def test_every_setting_is_in_the_environment_of_every_function(template: Template) -> None:
    given = template["Globals"]["Function"]["Environment"]["Variables"]
    lambdas_own = {"AWS_REGION"}
    assert set(given) | lambdas_own == {name.upper() for name in Settings.__struct_fields__}
    assert not any("Environment" in function for function in functions(template).values())


def test_functions_run_as_long_as_they_may(template: Template) -> None:
    assert {name: one["Timeout"] for name, one in functions(template).items()} == SECONDS


def test_the_lease_outlasts_the_function_that_holds_it(template: Template) -> None:
    lease = template["Globals"]["Function"]["Environment"]["Variables"]["LEASE_SECONDS"]
    found = functions(template)
    assert float(lease) > found["Reconcile"]["Timeout"] == found["OnStep"]["Timeout"] == 300


def test_a_failed_tick_is_not_repeated_for_the_next_one_comes_anyway(template: Template) -> None:
    repeated = functions(template)["Reconcile"]["EventInvokeConfig"]
    assert repeated == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}


def test_a_spot_event_is_tried_again_for_a_while_and_then_kept(template: Template) -> None:
    function = functions(template)["OnSpotEvent"]
    repeated = function["EventInvokeConfig"]
    assert repeated["DestinationConfig"]["OnFailure"] == {
        "Type": "SQS",
        "Destination": {"Fn::GetAtt": ["SpotEventsDeadQueue", "Arn"]},
    }
    [rule] = function["Events"].values()
    for policy in (repeated, rule["Properties"]["RetryPolicy"]):
        assert policy["MaximumRetryAttempts"] > 0
        assert policy["MaximumEventAgeInSeconds"] == 300  # later the instance is long gone
