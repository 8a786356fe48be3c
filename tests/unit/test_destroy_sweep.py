"""All that a stack has in EC2 ends, whatever EC2 does meanwhile, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest

from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.core.fleet import Intent
from deploy.saying import DeployFailed
from deploy.survey import Place
from deploy.sweep import sweep
from fakes.ec2 import FakeEc2
from fleets import START


class Sweeping:
    """A stack of which only EC2 knows, and its sweep; whatever it changes must be its own."""

    def __init__(self) -> None:
        self.ec2 = FakeEc2(now=START)
        self.said: list[str] = []
        self.own: set[str] = set()
        self.ec2.create_launch_template(
            LaunchTemplateName="s-j",
            VersionDescription="1",
            LaunchTemplateData={"ImageId": self.ec2.image},
        )

    def launch(self, *, stack: str = "s", kind: str = "persistent", count: int = 1) -> list[str]:
        tags = [{"Key": "parallelizer:stack", "Value": stack}]
        kinds = ("instance", "spot-instances-request")
        answer = self.ec2.run_instances(
            LaunchTemplate={"LaunchTemplateId": "lt-s-j", "Version": "1"},
            InstanceType="c7i.large",
            SubnetId="subnet-a",
            MinCount=count,
            MaxCount=count,
            ClientToken=f"{stack}{kind}{len(self.ec2.calls)}",
            InstanceMarketOptions={
                "MarketType": "spot",
                "SpotOptions": {"SpotInstanceType": kind},
            },
            TagSpecifications=[{"ResourceType": each, "Tags": tags} for each in kinds],
        )
        ids = [each["InstanceId"] for each in answer["Instances"]]
        if stack == "s":
            self.own |= {*ids, *(self.ec2.machines[id_].request for id_ in ids)}
        return ids

    def sweep(self, *intents: Intent) -> int:
        place = Place(
            stack="s",
            region="us-east-1",
            found=None,
            resources={},
            ec2=Ec2(self.ec2, launcher=None),
            queues=cast("Any", None),
            registry=None,
            ledger=None,
        )
        return sweep(
            place,
            intents,
            say=self.said.append,
            sleep=self.ec2.pass_time,
            now=lambda: self.ec2.now,
        )


@pytest.fixture
def stack() -> Iterator[Sweeping]:
    made = Sweeping()
    yield made
    strangers = made.ec2.changed - made.own
    replacements = {
        id_
        for id_ in strangers
        if id_ in made.ec2.machines and made.ec2.machines[id_].request in made.own
    }
    assert strangers == replacements


def intent(*instances: str, resolved: bool = True) -> Intent:
    return Intent(
        id="1",
        job="j",
        count=1,
        created=START,
        call="run_instances",
        arguments="{}",
        resolved=resolved,
        instances=instances,
    )


def test_where_there_is_nothing_nothing_is_done_or_said(stack: Sweeping) -> None:
    stack.launch(stack="other")
    assert stack.sweep() == 0
    assert stack.said == []
    assert len(stack.ec2.running) == 1


def test_requests_are_cancelled_before_instances_are_terminated(stack: Sweeping) -> None:
    stack.launch(count=2)
    stack.launch(kind="one-time")
    others = stack.launch(stack="other", count=2)
    assert stack.sweep() >= 3
    assert sorted(stack.ec2.running) == sorted(others)
    changes = [
        name
        for name, _ in stack.ec2.calls
        if name in ("cancel_spot_instance_requests", "terminate_instances")
    ]
    assert changes[0] == "cancel_spot_instance_requests"
    assert "3 instances (" in stack.said[0]
    stack.ec2.pass_time(3600)
    assert sorted(stack.ec2.running) == sorted(others)


def test_a_replacement_without_tags_is_found_by_its_request(stack: Sweeping) -> None:
    [first] = stack.launch()
    stack.ec2.end(first)
    stack.ec2.pass_time(300)
    [second] = stack.ec2.running
    assert second != first
    stack.sweep()
    stack.ec2.pass_time(3600)
    assert stack.ec2.running == []


def test_a_launch_that_ec2_does_not_show_yet_is_waited_for(stack: Sweeping) -> None:
    stack.ec2.shows_after = stack.ec2.requests_show_after = timedelta(seconds=90)
    [late] = stack.launch()
    stack.sweep(intent(late))
    assert stack.said[0].endswith("launches that EC2 may not show yet")
    assert stack.ec2.running == []


def test_an_instance_relaunched_just_before_its_request_is_cancelled_is_waited_for(
    stack: Sweeping,
) -> None:
    [first] = stack.launch()
    stack.ec2.shows_after = timedelta(seconds=90)
    stack.ec2.end(first)
    stack.ec2.pass_time(40)
    [second] = stack.ec2.running
    assert second != first
    stack.sweep()
    stack.ec2.pass_time(3600)
    assert stack.ec2.running == []


def test_a_launch_without_an_answer_is_waited_for_as_long_as_ec2_may_hide_it(
    stack: Sweeping,
) -> None:
    assert stack.sweep(intent(resolved=False)) == 0
    assert stack.said == ["  1 launches that EC2 may not show yet"]
    assert (stack.ec2.now - START).total_seconds() >= 300


def test_an_instance_that_ec2_will_not_end_is_named_with_the_reason(
    stack: Sweeping,
) -> None:
    [kept] = stack.launch(kind="one-time")
    stack.ec2.protected.add(kept)
    with pytest.raises(DeployFailed, match=f"would not terminate {kept}: OperationNotPermitted"):
        stack.sweep()


def test_a_protect_tag_stops_it_before_anything_is_changed(stack: Sweeping) -> None:
    first, _ = stack.launch(count=2)
    stack.ec2.machines[first].tags["parallelizer:protect"] = ""
    with pytest.raises(DeployFailed, match=f"nothing ends them: {first}"):
        stack.sweep()
    assert stack.ec2.changed == set()


def test_an_instance_that_does_not_go_is_named_at_the_end(stack: Sweeping) -> None:
    [slow] = stack.launch(kind="one-time")
    stack.ec2.lingering.add(slow)
    with pytest.raises(
        DeployFailed, match=rf"after 0:15:00 there are still 1 instances \({slow}\)"
    ):
        stack.sweep()
