"""The packaged queues, buckets, logs and alarms."""

from __future__ import annotations

from typing import Any

import pytest

from aws_parallelizer.core.fleet import WORKER_LOGS
from chalicelib import steps
from packages import Template, functions, of_type

FOURTEEN_DAYS = 14 * 24 * 3600
DEAD = {"UploadsDeadQueue", "StepsDeadQueue", "SpotEventsDeadQueue"}


@pytest.fixture(scope="module")
def queues(template: Template) -> dict[str, Any]:
    return of_type(template, "AWS::SQS::Queue")


@pytest.fixture(scope="module")
def alarms(template: Template) -> dict[str, Any]:
    return of_type(template, "AWS::CloudWatch::Alarm")


def dimension(alarm: dict[str, Any]) -> Any:
    [found] = alarm["Dimensions"]
    return found["Value"]


def test_a_step_is_given_up_at_the_delivery_after_which_the_queue_gives_it_up(
    queues: dict[str, Any],
) -> None:
    assert queues["StepsQueue"]["RedrivePolicy"]["maxReceiveCount"] == steps.DELIVERIES


@pytest.mark.parametrize(
    ("queue", "function"), [("UploadsQueue", "OnUpload"), ("StepsQueue", "OnStep")]
)
def test_a_message_stays_hidden_longer_than_its_function_may_run(
    template: Template, queue: str, function: str
) -> None:
    hidden = template["Resources"][queue]["Properties"]["VisibilityTimeout"]
    assert hidden > functions(template)[function]["Timeout"]


def test_dead_letters_are_kept_as_long_as_sqs_can(queues: dict[str, Any]) -> None:
    assert {queues[name]["MessageRetentionPeriod"] for name in DEAD} == {FOURTEEN_DAYS}


def test_a_dead_letter_is_kept_no_shorter_than_where_it_came_from(queues: dict[str, Any]) -> None:
    behind = {}
    for name, queue in queues.items():
        if "RedrivePolicy" in queue:
            dead, _ = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"]
            behind[name] = dead
            # A moved message keeps the time of its first send.
            kept = queues[dead]["MessageRetentionPeriod"]
            assert kept >= queue["MessageRetentionPeriod"], name
    assert set(behind) == set(queues) - DEAD
    assert len(set(behind.values())) == len(behind)


def test_buckets_are_private_and_drop_the_parts_of_broken_uploads(template: Template) -> None:
    buckets = of_type(template, "AWS::S3::Bucket")
    assert len(buckets) == 3
    for properties in buckets.values():
        assert all(properties["PublicAccessBlockConfiguration"].values())
        [rule] = properties["LifecycleConfiguration"]["Rules"]
        assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7


def test_every_log_is_the_stacks_goes_with_it_and_does_not_grow_for_ever(
    template: Template,
) -> None:
    logs = of_type(template, "AWS::Logs::LogGroup")
    assert set(logs) == {f"{name}Logs" for name in functions(template)} | {"WorkerLogs"}
    names = {name: log["LogGroupName"]["Fn::Sub"] for name, log in logs.items()}
    assert len(set(names.values())) == len(names)
    assert names.pop("WorkerLogs") == WORKER_LOGS.format(stack="${AWS::StackName}")
    assert all(name.startswith("/aws/lambda/${AWS::StackName}/") for name in names.values())
    assert {log["RetentionInDays"] for log in logs.values()} == {30}
    assert {template["Resources"][name]["DeletionPolicy"] for name in logs} == {"Delete"}


def test_alarms_bear_the_stacks_name_and_tell_its_topic_if_it_has_one(
    template: Template, alarms: dict[str, Any]
) -> None:
    names = {alarm["AlarmName"]["Fn::Sub"] for alarm in alarms.values()}
    assert len(names) == len(alarms) == 9
    topic = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
    for alarm in alarms.values():
        assert alarm["AlarmName"]["Fn::Sub"].startswith("${AWS::StackName}-")
        assert alarm["AlarmDescription"]
        assert alarm["AlarmActions"] == topic
    assert template["Parameters"]["AlarmTopic"]["Default"] == ""
    assert template["Conditions"]["HasAlarmTopic"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopic"}, ""]}]
    }


def test_the_first_dead_letter_is_told_and_stays_told_when_sqs_stops_measuring(
    alarms: dict[str, Any],
) -> None:
    found = {
        dimension(alarm)["Fn::GetAtt"][0]: alarm
        for alarm in alarms.values()
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    }
    assert set(found) == DEAD
    for alarm in found.values():
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
        assert alarm["EvaluationPeriods"] == 1
        assert alarm["TreatMissingData"] == "ignore"


def test_uploads_and_steps_that_wait_long_are_told_before_they_die(
    alarms: dict[str, Any], queues: dict[str, Any]
) -> None:
    found = {
        dimension(alarm)["Fn::GetAtt"][0]: alarm
        for alarm in alarms.values()
        if alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
    }
    assert set(found) == {"UploadsQueue", "StepsQueue"}
    for name, alarm in found.items():
        tries = queues[name]["RedrivePolicy"]["maxReceiveCount"]
        assert alarm["Threshold"] < queues[name]["VisibilityTimeout"] * tries
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"


def test_a_reconcile_that_is_not_run_is_told_after_ten_minutes(alarms: dict[str, Any]) -> None:
    alarm = alarms["ReconcileSilentAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Invocations")
    assert dimension(alarm) == {"Ref": "Reconcile"}
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 600
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["TreatMissingData"] == "breaching"  # nothing measured is nothing run


def test_a_reconcile_that_fails_again_and_again_is_told(alarms: dict[str, Any]) -> None:
    alarm = alarms["ReconcileFailingAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Errors")
    assert dimension(alarm) == {"Ref": "Reconcile"}
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (3, 5)


def test_a_job_that_makes_no_headway_is_told(alarms: dict[str, Any]) -> None:
    alarm = alarms["JobsStuckAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWSParallelizer", "JobsStuck")
    assert alarm["Dimensions"] == [{"Name": "Stack", "Value": {"Ref": "AWS::StackName"}}]
    assert alarm["Threshold"] == 0


def test_on_demand_instances_that_ec2_gave_for_spot_are_told(alarms: dict[str, Any]) -> None:
    alarm = alarms["OnDemandForSpotAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWSParallelizer", "OnDemandForSpot")
    assert alarm["Dimensions"] == [{"Name": "Stack", "Value": {"Ref": "AWS::StackName"}}]
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Maximum", 0)
