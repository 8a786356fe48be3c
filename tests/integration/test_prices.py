"""Prices and notices through the real SDK: spot history of the local EC2, SNS of ministack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import emulator
from aws_parallelizer.aws import prices, sns
from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.core import money
from aws_parallelizer.core.money import Pool, Prices
from aws_parallelizer.core.spending import Spending
from integration.local_ec2 import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("prices")) as running:
        yield running


def test_the_spot_prices_of_some_types_come_by_zone(server: Server) -> None:
    now = datetime.now(UTC)
    types = {"c7i.large", "m7a.large"}
    found = prices.spot_history(server.ec2, types, since=now - timedelta(hours=1), now=now)
    zones = {
        each["ZoneName"] for each in server.ec2.describe_availability_zones()["AvailabilityZones"]
    }
    assert set(found) == {Pool(kind, zone) for kind in types for zone in zones}
    assert all(change.hourly > 0 for changes in found.values() for change in changes)


def test_an_instance_that_ec2_shows_is_priced_by_its_type_and_zone(server: Server) -> None:
    launched = server.run(kind="one-time", tags=[])
    server.wait(launched["InstanceId"], "running")
    ec2 = Ec2(server.ec2, launcher=server.ec2)
    seen = ec2.instances({"instance-lifecycle": ["spot"]})
    [instance] = [each for each in seen if each.id == launched["InstanceId"]]
    now = instance.launched + timedelta(hours=1)
    history = prices.spot_history(
        server.ec2, [instance.type], since=instance.launched, now=instance.launched
    )
    assert Pool(instance.type, instance.zone) in history
    noted = money.observed(Spending(), [instance], now=now, since=instance.launched)
    spending = money.charged(noted, Prices(spot=history))
    assert spending.dollars == pytest.approx(0.00001)


def test_a_topic_tells_its_subscribers_with_attributes(endpoint: str, tmp_path: Path) -> None:
    topics, queues = emulator.client("sns", endpoint), emulator.client("sqs", endpoint)
    topic = topics.create_topic(Name="told")["TopicArn"]
    url = queues.create_queue(QueueName="hears")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    sns.publish(
        topics,
        topic,
        subject="stack: job photos\nhas no work left",
        text="Job photos has no work left.\n",
        attributes={"event": "drained", "spent": 5.03, "done": 3},
    )
    [message] = queues.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    told = json.loads(message["Body"])
    assert told["Subject"] == "stack: job photos has no work left"
    assert told["Message"] == "Job photos has no work left.\n"
    values = {name: each["Value"] for name, each in told["MessageAttributes"].items()}
    assert values == {"event": "drained", "spent": "5.03", "done": "3"}
