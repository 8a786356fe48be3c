"""`make destroy` on emulators: what stops it, what it leaves, and what it never touches."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import inventory
from aws_parallelizer.aws import clients
from aws_parallelizer.aws.sqs import Queue
from deploy import destroy as destroying
from deploy import switching
from deploy.commands import Say
from deploy.saying import DeployFailed
from deploy.survey import Place
from emulator import CREDENTIALS, REGION, client
from integration.local_ec2 import Server, serving
from stackhand import Stack, run
from waiting import until

WANTED = {"environmentZip": "e.zip", "analysisProgram": "run.sh"}
SHARED = ("iam: AWSServiceRoleFor", "s3: aws-parallelizer-")  # other stacks may use these


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("destroyed")) as running:
        yield running


class Account:
    """The emulators, and destroy."""

    def __init__(self, endpoint: str, server: Server) -> None:
        self.endpoint, self.server = endpoint, server

    def destroy(self, stack: str, *options: str) -> subprocess.CompletedProcess[str]:
        return run(
            self.endpoint,
            "destroy",
            "--stack",
            stack,
            *options,
            AWS_ENDPOINT_URL_EC2=self.server.endpoint,
        )

    def inventory(self) -> set[str]:
        found = inventory.take(self.endpoint, self.server.endpoint)
        return {each for each in found if not each.startswith(SHARED)}

    def launch(self, stack: str, *, kind: str | None = "persistent", **more: str) -> dict[str, Any]:
        """An instance as a job of the stack has it."""
        marks = {"parallelizer:stack": stack, "parallelizer:job": "j", **more}
        pairs = [{"Key": key, "Value": value} for key, value in marks.items()]
        kinds = ("instance", *(["spot-instances-request"] if kind else []))
        return self.server.run(
            kind=kind, tags=[{"ResourceType": each, "Tags": pairs} for each in kinds]
        )


def as_a_user(monkeypatch: pytest.MonkeyPatch, account: Account) -> None:
    """This process's AWS settings are those of the emulators."""
    settings = {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": account.endpoint,
        "AWS_ENDPOINT_URL_EC2": account.server.endpoint,
        "AWS_REGION": REGION,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(clients, "session", clients.session.__wrapped__)


@pytest.fixture
def account(endpoint: str, server: Server) -> Account:
    return Account(endpoint, server)


def mark_as_cloudformation_does(stack: Stack) -> None:
    """The template's tags of the input bucket, which the emulator leaves out."""
    tags = [{"Key": "parallelizer:stack", "Value": stack.name}]
    stack.client("s3").put_bucket_tagging(
        Bucket=stack.outputs["InputBucket"], Tagging={"TagSet": tags}
    )


def is_read(stack: Stack, queue: str) -> bool:
    """Whether the stack's queue holds no message."""
    sqs = stack.client("sqs")
    [url] = sqs.list_queues(QueueNamePrefix=f"{stack.name}-{queue}")["QueueUrls"]
    return Queue(sqs, url=url).counts().total == 0


def test_nothing_of_a_stack_is_left_in_any_service_and_a_second_run_says_so(
    account: Account,
) -> None:
    other = Stack(account.endpoint, "neighbour")
    foreign = account.launch("neighbour")
    before = account.inventory()
    stack = Stack(account.endpoint, "ended")
    stack.api.put("/jobs/one", WANTED)
    account.server.ec2.create_launch_template(
        LaunchTemplateName="ended-one",
        LaunchTemplateData={"ImageId": "ami-1"},
        TagSpecifications=[
            {
                "ResourceType": "launch-template",
                "Tags": [{"Key": "parallelizer:stack", "Value": "ended"}],
            }
        ],
    )
    made = account.inventory() - before
    services = {each.partition(":")[0] for each in made}
    assert services >= set(inventory.SERVICES) - {"cloudwatch", "sns"}

    ended = account.destroy("ended")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "nothing is left of stack ended in us-east-1" in ended.stdout
    fresh = account.inventory() - before
    assert {each for each in fresh if "neighbour" not in each} == set()
    assert before - account.inventory() == set()
    assert account.server.state(foreign["InstanceId"]) in ("pending", "running")
    assert other.api.get("/jobs")["jobs"] == []

    again = account.destroy("ended")
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines() == ["there is nothing of stack ended in us-east-1"]


def test_work_that_is_left_stops_it_and_nothing_is_changed(account: Account) -> None:
    stack = Stack(account.endpoint, "busy", "NudgeSeconds=1")
    stack.api.put("/jobs/one", WANTED)
    stack.put("one/a.txt")
    until(lambda: stack.tasks("one"), seconds=30, what="the upload is a task")
    instance = account.launch("busy")
    before = account.inventory()

    refused = account.destroy("busy")
    assert refused.returncode == 1
    assert "job one: 1 open task, 1 message" in refused.stderr
    assert f"1 instance: {instance['InstanceId']}" in refused.stderr
    assert f"1 spot request: {instance['SpotInstanceRequestId']}" in refused.stderr
    assert "make destroy STACK=busy FORCE=1" in refused.stderr
    assert {each for each in account.inventory() ^ before if "/aws/lambda/" not in each} == set()
    stack.put("one/b.txt")
    until(lambda: len(stack.tasks("one")) == 2, seconds=30, what="uploads are taken in as before")

    forced = account.destroy("busy", "--force")
    assert forced.returncode == 0, forced.stdout + forced.stderr
    assert "dropped about 2 messages" in forced.stdout
    [bucket] = [line for line in forced.stdout.splitlines() if "bucket" in line]
    assert stack.outputs["InputBucket"] in bucket
    assert account.server.state(instance["InstanceId"]) == "terminated"
    assert account.server.request(instance["SpotInstanceRequestId"])["State"] == "cancelled"
    left = {each for each in account.inventory() if "busy" in each}
    assert left == {f"s3: {stack.outputs['InputBucket']}"}
    notifications = client("s3", account.endpoint).get_bucket_notification_configuration(
        Bucket=stack.outputs["InputBucket"]
    )
    assert "QueueConfigurations" not in notifications

    mark_as_cloudformation_does(stack)
    emptied = account.destroy("busy", "--buckets")
    assert emptied.returncode == 0, emptied.stdout + emptied.stderr
    assert not {each for each in account.inventory() if "busy" in each}


def test_of_a_stack_that_is_gone_everything_is_swept_by_its_tag(account: Account) -> None:
    mine, foreign = account.launch("vanished"), account.launch("vanished-not")
    on_demand = account.launch("vanished", kind=None)
    refused = account.destroy("vanished")
    assert refused.returncode == 1
    assert mine["InstanceId"] in refused.stderr
    swept = account.destroy("vanished", "--force")
    assert swept.returncode == 0, swept.stdout + swept.stderr
    for one in (mine, on_demand):
        assert account.server.state(one["InstanceId"]) == "terminated"
    assert account.server.state(foreign["InstanceId"]) in ("pending", "running")
    assert account.server.request(foreign["SpotInstanceRequestId"])["State"] == "active"


def test_a_protected_instance_stops_it_even_if_it_is_forced(account: Account) -> None:
    kept = account.launch("kept", **{"parallelizer:protect": "yes"})
    other = account.launch("kept")
    for options in ((), ("--force",)):
        refused = account.destroy("kept", *options)
        assert refused.returncode == 1
        assert f"parallelizer:protect, so nothing ends them: {kept['InstanceId']}" in refused.stderr
    assert account.server.state(other["InstanceId"]) in ("pending", "running")
    account.server.ec2.delete_tags(
        Resources=[kept["InstanceId"]], Tags=[{"Key": "parallelizer:protect"}]
    )
    assert account.destroy("kept", "--force").returncode == 0
    assert account.server.state(kept["InstanceId"]) == "terminated"


def test_what_comes_while_it_is_destroyed_starts_nothing_and_is_named(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack(account.endpoint, "raced")
    stack.api.put("/jobs/one", WANTED)
    account.launch("raced")
    until(lambda: is_read(stack, "UploadsQueue"), seconds=30, what="S3's test event is read")
    said: list[str] = []

    def say(line: str) -> None:
        # A run of reconcile may still be under way; nothing else comes before what it ends.
        if line.startswith("waiting until the run of reconcile"):
            return
        if not said:
            stack.put("one/late.txt")
        said.append(line)

    as_a_user(monkeypatch, account)
    destroying.destroy("raced", force=True, say=say)
    assert said[0].startswith("  1 instances (i-")
    assert not any("dropped" in line for line in said)
    [kept] = [line for line in said if "bucket raced-inputbucket" in line]
    assert "stays, for it is not empty" in kept


def test_what_comes_before_the_triggers_rest_stops_it_and_they_run_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack(account.endpoint, "nearly")
    stack.api.put("/jobs/one", WANTED)
    until(lambda: is_read(stack, "UploadsQueue"), seconds=30, what="S3's test event is read")
    real = switching.rest

    def rest(place: Place, *, say: Say) -> None:
        real(place, say=say)
        stack.put("one/late.txt")

    monkeypatch.setattr(switching, "rest", rest)
    as_a_user(monkeypatch, account)
    with pytest.raises(DeployFailed, match="1 message of new objects that no job has yet"):
        destroying.destroy("nearly")
    until(lambda: stack.tasks("one"), seconds=30, what="the upload is a task after all")


def test_what_a_broken_off_destroy_put_to_rest_is_awake_after_a_deploy(
    account: Account, tmp_path: Path
) -> None:
    stack = Stack(account.endpoint, "resting", "NudgeSeconds=1")
    functions, events = stack.client("lambda"), stack.client("events")
    mappings = [
        each
        for each in functions.list_event_source_mappings()["EventSourceMappings"]
        if ":resting-" in each["FunctionArn"]
    ]
    rules = events.list_rules(NamePrefix="resting-")["Rules"]
    for mapping in mappings:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    for rule in rules:
        events.disable_rule(Name=rule["Name"])
    ended = run(account.endpoint, "deploy", "--stack", "resting")
    assert ended.returncode == 0, ended.stderr
    assert "no changes" in ended.stdout
    assert "awake again" in ended.stdout
    stack.api.put("/jobs/one", WANTED)
    stack.put("one/a.txt")
    until(lambda: stack.tasks("one"), seconds=30, what="the upload is a task")
    assert all(
        rule["State"] == "ENABLED" for rule in events.list_rules(NamePrefix="resting-")["Rules"]
    )
