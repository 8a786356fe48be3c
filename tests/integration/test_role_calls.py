"""Each function makes no call that its role does not allow: every call to SQS, S3, DynamoDB, SSM
and SNS is held against the policies. EC2's are a fake's here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import emulator
from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.aws.s3 import S3
from aws_parallelizer.aws.sqs import Queues
from chalicelib import api, reconcile, spot_events, triggers
from chalicelib.context import Context
from fakes.ec2 import FakeEc2
from packages import RESOURCES, actions
from policies import ACCOUNT, REGION, Ask, Policies, asks
from stacks import settings

STACK = "roles"
OWN = ("UploadsQueue", "UploadsDeadQueue", "StepsQueue", "StepsDeadQueue", "SpotEventsDeadQueue")
BUCKETS = ("InputBucket", "OutputBucket", "EnvironmentBucket")
IMAGE = "/roles/image-id"
ROLES = ("ApiRole", "UploadRole", "ReconcileRole", "SpotEventRole")
# What this life has no occasion for: EC2, logs, what Lambda does in a role's name, and the rest.
ELSEWHERE = re.compile("ec2:|logs:|iam:PassRole")
LAMBDAS = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
SELDOM = {
    "dynamodb:BatchGetItem",  # who wrote a row whose write was refused
    "dynamodb:DeleteItem",  # of answers that are too old to be given again
    "sqs:ChangeMessageVisibility",  # of poison
}


@dataclass
class Office:
    """A stack on ministack whose calls are written down, by who makes them."""

    endpoint: str
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    made: dict[str, set[Ask]] = field(default_factory=dict)
    role: str = ""

    def __post_init__(self) -> None:
        self.ec2 = FakeEc2(now=self.now)
        sqs, s3 = self._plain("sqs"), self._plain("s3")
        self.queues = {
            name: sqs.create_queue(QueueName=f"{STACK}-{name}")["QueueUrl"] for name in OWN
        }
        for name in BUCKETS:
            s3.create_bucket(Bucket=self.bucket(name))
        s3.put_object(Bucket=self.bucket("EnvironmentBucket"), Key="e.zip", Body=b"zip")
        for number in range(3):
            s3.put_object(Bucket=self.bucket("InputBucket"), Key=f"job/{number}", Body=b"x")
        emulator.make_table(self._plain("dynamodb"), f"{STACK}-ledger")
        self._plain("ssm").put_parameter(Name=IMAGE, Value="ami-1", Type="String")
        self.topic = self._plain("sns").create_topic(Name="anybodys")["TopicArn"]
        self._clients: dict[str, Any] = {"ec2": self.ec2}

    def bucket(self, name: str) -> str:
        return f"{STACK}-{name.lower()}"

    def _plain(self, service: str) -> Any:
        return emulator.client(service, self.endpoint)

    def client(self, service: str, *, attempts: int = 5) -> Any:
        if service not in self._clients:
            made = self._plain(service)
            made.meta.events.register("provide-client-params", self._write_down)
            self._clients[service] = made
        return self._clients[service]

    def _write_down(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        service = model.service_model.endpoint_prefix
        self.made.setdefault(self.role, set()).update(asks(service, model.name, params))

    @contextmanager
    def acting(self, role: str) -> Iterator[Context]:
        """What is called inside is called by the role."""
        self.role = role
        table = Table(self.client("dynamodb"), name=f"{STACK}-ledger")
        yield Context(
            settings=settings(
                stack=STACK,
                ledger_table=f"{STACK}-ledger",
                uploads_queue_url=self.queues["UploadsQueue"],
                steps_queue_url=self.queues["StepsQueue"],
                input_bucket=self.bucket("InputBucket"),
                output_bucket=self.bucket("OutputBucket"),
                environment_bucket=self.bucket("EnvironmentBucket"),
                image_parameter=IMAGE,
                nudge_seconds=0,
                empty_readings=1,
                empty_span_seconds=0,
            ),
            registry=Registry(table),
            ledger=Ledger(table),
            s3=S3(self.client("s3")),
            queues=Queues(self.client("sqs")),
            client=self.client,
            now=lambda: self.now,
        )

    def call(self, **body: Any) -> api.Call:
        return api.Call(path="/", query={}, body=json.dumps(body).encode(), idempotency_key="")

    def steps(self) -> list[dict[str, Any]]:
        """What is in the steps queue, as Lambda hands it over; it is gone then."""
        sqs = self._plain("sqs")
        found: list[dict[str, Any]] = sqs.receive_message(
            QueueUrl=self.queues["StepsQueue"], MaxNumberOfMessages=10
        ).get("Messages", [])
        for one in found:
            sqs.delete_message(
                QueueUrl=self.queues["StepsQueue"], ReceiptHandle=one["ReceiptHandle"]
            )
        return [record(one["Body"]) for one in found]

    def tick(self, times: int = 1) -> None:
        with self.acting("ReconcileRole") as context:
            for _ in range(times):
                self.now += timedelta(minutes=1)
                self.ec2.pass_time(60)
                reconcile.run(context)


def record(body: str) -> dict[str, Any]:
    return {
        "messageId": "m",
        "receiptHandle": "none",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
    }


def uploaded(bucket: str, key: str) -> dict[str, Any]:
    told = {"bucket": {"name": bucket}, "object": {"key": key, "eTag": "e", "size": 1}}
    return record(json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": told}]}))


@pytest.fixture(scope="module")
def office(endpoint: str) -> Office:
    """A job's whole life."""
    office = Office(endpoint)
    with office.acting("ApiRole") as context:
        wanted = {"environmentZip": "e.zip", "analysisProgram": "run.sh", "notify": office.topic}
        for seconds in (120, 60):
            api.put_job(context, office.call(**wanted, visibilityTimeout=seconds), "job")
        api.enqueue(context, office.call(), "job")
        api.retry(context, office.call(), "job")
        api.launch(context, office.call(count=1), "job")
    with office.acting("UploadRole") as context:
        for key in ("job/new", "job/newer"):
            office.now += timedelta(seconds=1)
            triggers.upload(context, [uploaded(office.bucket("InputBucket"), key)])
    with office.acting("ReconcileRole") as context:
        for _ in range(5):
            triggers.step(context, office.steps())
    office.tick(3)
    warning = {
        "source": "aws.ec2",
        "detail-type": "EC2 Instance Rebalance Recommendation",
        "time": "2026-03-01T12:00:00Z",
        "detail": {"instance-id": "i-0abc", "instance-action": "terminate"},
    }
    with office.acting("SpotEventRole") as context:
        for kind in (warning["detail-type"], "EC2 Spot Instance Interruption Warning"):
            office.now += timedelta(minutes=1)
            spot_events.take(context, {**warning, "detail-type": kind})
    with office.acting("ApiRole") as context:
        api.list_jobs(context, office.call())
        for each in (api.get_job, api.list_tasks, api.list_instances):
            each(context, office.call(), "job")
        query = api.Call(path="/", query={"key": "job/0"})
        api.get_task(context, query, "job")
        api.stop_instances(context, office.call(), "job")
    office.tick(3)
    with office.acting("ApiRole") as context:
        api.delete_job(context, api.Call(path="/", query={"purge": "true"}), "job")
    office.tick(3)
    with office.acting("ReconcileRole") as context:
        for _ in range(5):
            triggers.step(context, office.steps())
    return office


@pytest.fixture(scope="module")
def policies(office: Office) -> Policies:
    return Policies(
        stack=STACK,
        arns={
            "Ledger": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{STACK}-ledger",
            **{name: f"arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-{name}" for name in OWN},
            **{name: f"arn:aws:s3:::{office.bucket(name)}" for name in BUCKETS},
        },
        parameters={"ImageParameter": IMAGE},
    )


@pytest.mark.parametrize("role", ROLES)
def test_a_function_makes_no_call_that_its_role_does_not_allow(
    office: Office, policies: Policies, role: str
) -> None:
    made = office.made[role]
    assert {ask for ask in made if not policies.allows(role, ask)} == set()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_allows_nothing_that_its_function_never_does(office: Office, role: str) -> None:
    granted = {one for one in actions(RESOURCES, role) if not ELSEWHERE.match(one)}
    done = {ask.action for ask in office.made[role]}
    assert granted - done <= LAMBDAS | SELDOM


def test_the_life_that_is_held_against_the_policies_has_all_its_chapters(office: Office) -> None:
    made = {role: {ask.action for ask in found} for role, found in office.made.items()}
    assert {"sqs:CreateQueue", "sqs:SendMessage", "s3:GetObject"} <= made["ApiRole"]
    assert {"dynamodb:PutItem", "sqs:SendMessage"} <= made["UploadRole"]
    assert {
        "sqs:DeleteQueue",
        "s3:ListBucket",
        "ssm:GetParameter",
        "dynamodb:DeleteItem",
        "dynamodb:PartiQLUpdate",
    } <= made["ReconcileRole"]
    assert {"dynamodb:PutItem", "dynamodb:PartiQLUpdate"} <= made["SpotEventRole"]


@pytest.mark.parametrize(
    ("role", "ask"),
    [
        ("SpotEventRole", Ask("dynamodb:PutItem", "ledger", frozenset({"job"}))),
        ("ApiRole", Ask("s3:GetObject", "arn:aws:s3:::roles-environmentbucket/e.zip")),
        ("ApiRole", Ask("s3:PutObject", "arn:aws:s3:::roles-inputbucket/job/x")),
        ("UploadRole", Ask("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:other-queue")),
        ("UploadRole", Ask("sqs:DeleteQueue", f"arn:aws:sqs:{REGION}:{ACCOUNT}:roles-job")),
        (
            "WorkerRole",
            Ask("sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:roles-StepsQueue"),
        ),
    ],
)
def test_what_is_not_a_roles_business_is_refused(policies: Policies, role: str, ask: Ask) -> None:
    named = ask._replace(resource=policies.arns["Ledger"]) if ask.resource == "ledger" else ask
    assert not policies.allows(role, named)
