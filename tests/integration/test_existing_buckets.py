"""A stack on buckets that were there before it, and that others are told of too."""

from __future__ import annotations

from typing import Any

import pytest

from emulator import REGION, client
from stackhand import Stack, run, run_deploy
from waiting import until

WANTED = {"environmentZip": "e.zip", "analysisProgram": "run.sh"}
Entry = dict[str, Any]


class Bucket:
    """A bucket of the user's, and his other notifications."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.s3, self.name = client("s3", endpoint), name
        self.s3.create_bucket(Bucket=name)
        sqs = client("sqs", endpoint)
        url = sqs.create_queue(QueueName=f"{name}-queue")["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self.queue = answer["Attributes"]["QueueArn"]
        self.topic = client("sns", endpoint).create_topic(Name=f"{name}-topic")["TopicArn"]

    def tell_others(self, event: str = "s3:ObjectRemoved:*") -> Entry:
        """Somebody else's entries: a queue, a topic, and EventBridge."""
        rules = [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".jpg"}]
        self.s3.put_bucket_notification_configuration(
            Bucket=self.name,
            NotificationConfiguration={
                "QueueConfigurations": [
                    {
                        "Id": "theirs",
                        "QueueArn": self.queue,
                        "Events": [event],
                        "Filter": {"Key": {"FilterRules": rules}},
                    }
                ],
                "TopicConfigurations": [
                    {"Id": "topic", "TopicArn": self.topic, "Events": ["s3:ObjectTagging:*"]}
                ],
                "EventBridgeConfiguration": {},
            },
        )
        return self.notifications()

    def notifications(self) -> Entry:
        found = self.s3.get_bucket_notification_configuration(Bucket=self.name)
        return {name: value for name, value in found.items() if name != "ResponseMetadata"}


def test_others_are_told_as_before_while_the_stack_comes_and_goes(endpoint: str) -> None:
    bucket = Bucket(endpoint, "photos-of-somebody")
    theirs = bucket.tell_others()
    stack = Stack(endpoint, "guest", f"InputBucketName={bucket.name}", "NudgeSeconds=1")
    assert stack.outputs["InputBucket"] == bucket.name
    assert f"bucket {bucket.name} tells the stack of new objects, by its entry guest-uploads" in (
        stack.said
    )
    with_ours = bucket.notifications()
    [their_entry, our_entry] = with_ours.pop("QueueConfigurations")
    assert {**with_ours, "QueueConfigurations": [their_entry]} == theirs
    assert our_entry["Id"] == "guest-uploads"

    stack.api.put("/jobs/one", WANTED)
    stack.put("one/a.txt")
    until(lambda: stack.tasks("one"), seconds=30, what="the upload is a task")
    again = run_deploy(endpoint, "guest")
    assert "no changes" in again.stdout
    assert "tells the stack" not in again.stdout

    ended = run(endpoint, "destroy", "--stack", "guest", "--force", "--buckets")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert bucket.notifications() == theirs
    assert bucket.s3.get_object(Bucket=bucket.name, Key="one/a.txt")["Body"].read() == b"x"


def test_a_stack_that_gets_its_own_bucket_is_told_of_the_old_one_no_more(endpoint: str) -> None:
    bucket = Bucket(endpoint, "left-behind")
    theirs = bucket.tell_others()
    run_deploy(endpoint, "mover", f"InputBucketName={bucket.name}").check_returncode()
    moved = run_deploy(endpoint, "mover", "InputBucketName=")
    assert moved.returncode == 0, moved.stderr
    assert f"bucket {bucket.name} does not tell the stack of new objects any more" in moved.stdout
    assert bucket.notifications() == theirs
    assert "InputBucket=mover-inputbucket-" in moved.stdout


def test_an_overlap_is_refused_in_a_sentence_before_anything_is_made(
    endpoint: str,
) -> None:
    bucket = Bucket(endpoint, "taken")
    theirs = bucket.tell_others("s3:ObjectCreated:Put")
    refused = run_deploy(endpoint, "unwanted", f"InputBucketName={bucket.name}")
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert f"entry theirs ({bucket.queue} prefix 'in/' suffix '.jpg')" in line
    assert "is told of s3:ObjectCreated:Put too" in line
    assert bucket.notifications() == theirs
    stacks = client("cloudformation", endpoint).describe_stacks()["Stacks"]
    assert "unwanted" not in {stack["StackName"] for stack in stacks}


@pytest.mark.parametrize("parameter", ["InputBucketName", "OutputBucketName"])
def test_a_bucket_that_is_not_there_is_named_before_anything_is_made(
    endpoint: str, parameter: str
) -> None:
    refused = run_deploy(endpoint, "unwanted", f"{parameter}=nobody-has-this")
    assert refused.returncode == 1
    assert refused.stderr == "deploy: there is no bucket nobody-has-this\n"


def test_a_bucket_in_another_region_is_refused(endpoint: str) -> None:
    client("s3", endpoint).create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    refused = run_deploy(endpoint, "unwanted", "InputBucketName=far-away")
    assert refused.returncode == 1
    assert f"bucket far-away is in eu-west-1, the stack in {REGION}" in refused.stderr


def test_outputs_and_environments_may_lie_in_buckets_of_the_users_too(endpoint: str) -> None:
    for name in ("my-outputs", "my-environments"):
        client("s3", endpoint).create_bucket(Bucket=name)
    stack = Stack(
        endpoint, "tenant", "OutputBucketName=my-outputs", "EnvironmentBucketName=my-environments"
    )
    assert (stack.outputs["OutputBucket"], stack.outputs["EnvironmentBucket"]) == (
        "my-outputs",
        "my-environments",
    )
    parameters = stack.api.put("/jobs/one", WANTED)["parameters"]
    assert parameters["outputBucket"] == "my-outputs"
    ended = run(endpoint, "destroy", "--stack", "tenant", "--buckets")
    assert ended.returncode == 0, ended.stderr
    names = {each["Name"] for each in client("s3", endpoint).list_buckets()["Buckets"]}
    assert {"my-outputs", "my-environments"} <= names
