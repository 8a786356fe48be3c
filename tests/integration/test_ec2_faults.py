"""EC2's listings and ends under the real SDK: what is asked again, what is passed over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.aws.spot import SpotRequests
from aws_parallelizer.core.fleet import TAG_JOB, TAG_STACK
from aws_parallelizer.worker import shutdown
from aws_parallelizer.worker.shutdown import Ending
from fakes.ec2 import Fault
from fakes.ec2.machine import Machine
from fakes.faults import refused
from local.spot import SpotState
from wire import SdkWorld, sdk  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("sdk")

CANCEL, TERMINATE = "cancel_spot_instance_requests", "terminate_instances"
MINE = {f"tag:{TAG_STACK}": ["parallelizer"], f"tag:{TAG_JOB}": ["job"]}


@pytest.fixture
def world() -> SdkWorld:
    return SdkWorld()


def working(world: SdkWorld, **parameters: object) -> None:
    world.add_job(instance_type=("c7i.large",), **parameters)
    world.enqueue(*[f"job/{number}" for number in range(40)])
    world.tick(2)
    assert len(world.ec2.running) == 2


def test_a_listing_that_was_throttled_once_is_asked_for_again(world: SdkWorld) -> None:
    working(world)
    before = world.sent("describe_instances")
    describe = world.ec2.describe_instances
    faults = iter([Fault.THROTTLED])

    def once(**given: object) -> Any:
        if next(faults, None):
            raise refused("RequestLimitExceeded", "DescribeInstances", status=503)
        return describe(**given)

    world.ec2.describe_instances = once  # type: ignore[method-assign]
    world.tick()

    assert world.sent("describe_instances") == before + 1
    assert world.fleet().sentence == "40 tasks in the queue, 2 of 2 instances there"


def test_a_listing_that_fails_at_its_second_page_decides_nothing(world: SdkWorld) -> None:
    working(world)
    world.ec2.page_size = 1
    describe = world.ec2.describe_instances

    def broken(**given: object) -> Any:
        if given.get("NextToken"):
            raise refused("InternalError", "DescribeInstances", status=500)
        return describe(**given)

    world.ec2.describe_instances = broken  # type: ignore[method-assign]
    world.tick(3)

    assert world.fleet().sentence.startswith("reconcile failed: ")
    assert len(world.fleet().instances) == 2  # as it was seen last
    assert world.sent("create_fleet") == 1
    world.ec2.describe_instances = describe  # type: ignore[method-assign]
    world.tick()
    assert len(world.ec2.machines) == 2


def test_a_terminated_instance_of_which_ec2_has_forgotten_all_but_the_id_is_passed_over(
    world: SdkWorld,
) -> None:
    working(world)
    gone = world.ec2.running[0]
    world.ec2.end(gone)
    describe = world.ec2.describe_instances

    def forgetful(**given: object) -> Any:
        answer = describe(**given)
        for reservation in answer["Reservations"]:
            for entry in reservation["Instances"]:
                if entry["InstanceId"] == gone:
                    for name in ("LaunchTime", "Placement", "SubnetId"):
                        entry.pop(name)
        return answer

    world.ec2.describe_instances = forgetful  # type: ignore[method-assign]
    world.tick(2)

    assert len(world.ec2.running) == 2
    assert gone not in {each.id for each in world.fleet().instances}


def test_1500_instances_are_two_pages(world: SdkWorld) -> None:
    tags = {TAG_STACK: "parallelizer", TAG_JOB: "job"}
    now = world.ec2.now
    for number in range(1500):
        id_ = f"i-{number:08x}"
        world.ec2.machines[id_] = Machine(id=id_, launched=now, shown=now, tags=tags, spot=False)
    client = world.sdk()

    found = Ec2(client, launcher=client).instances(MINE)

    assert len({each.id for each in found}) == 1500
    assert world.sent("describe_instances") == 2


def test_an_instance_under_termination_protection_keeps_no_other_and_is_told(
    world: SdkWorld,
) -> None:
    working(world)
    kept, other = world.ec2.running
    world.ec2.machines[kept] = replace(world.ec2.machines[kept], subnet="subnet-a")
    world.ec2.machines[other] = replace(world.ec2.machines[other], subnet="subnet-a")
    world.ec2.protected = {kept}
    world.change_job(stopped=True)

    world.tick()

    assert world.ec2.running == [kept]
    assert world.sent(TERMINATE) == 3  # both, and then each alone
    assert f"could not terminate {kept}: OperationNotPermitted: " in world.fleet().sentence


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "UnauthorizedOperation"])
def test_an_end_that_ec2_refuses_as_a_whole_is_told_and_tried_again_each_minute(
    world: SdkWorld, code: str
) -> None:
    working(world)
    world.ec2.refusals[TERMINATE] = (503 if code.startswith("Request") else 403, code)
    world.change_job(stopped=True)

    world.tick(3)

    assert world.sent(TERMINATE) == 3 * (5 if code.startswith("Request") else 1)
    assert world.fleet().sentence.startswith("reconcile failed: ")
    assert code in world.fleet().sentence
    world.ec2.refusals.clear()
    world.tick()
    assert world.ec2.running == []


def test_an_end_whose_answer_is_lost_is_not_told_as_failed(world: SdkWorld) -> None:
    working(world)
    world.ec2.lost_answers = [TERMINATE]
    world.change_job(stopped=True)

    world.tick(2)

    assert world.ec2.running == []
    assert world.fleet().sentence == "stopped: nothing runs"


def test_ids_that_ec2_does_not_know_are_found_by_halving_and_the_others_are_ended(
    world: SdkWorld,
) -> None:
    tags = {TAG_STACK: "parallelizer", TAG_JOB: "job"}
    now = world.ec2.now
    ids = [f"i-{number}" for number in range(64)]
    for id_ in ids:
        world.ec2.machines[id_] = Machine(id=id_, launched=now, shown=now, tags=tags, spot=False)
    world.ec2.machines["i-7"].shown = now + timedelta(minutes=1)
    client = world.sdk()

    refusals = Ec2(client, launcher=client).terminate(ids)

    assert list(refusals) == ["i-7"]
    assert world.ec2.running == ["i-7"]
    assert world.sent(TERMINATE) <= 2 * 6 + 1


class Machines:
    """A persistent instance, and its worker's end."""

    def __init__(self, world: SdkWorld) -> None:
        working(world, spot_type="persistent")
        self.world = world
        self.instance = world.ec2.running[0]
        self.request = world.ec2.requests[world.ec2.machines[self.instance].request].id
        self.told: list[str] = []

    def conclude(self) -> int:
        return shutdown.conclude(
            Ending("no more work", 0, shut_down=True),
            instance=self.instance,
            requests=lambda: SpotRequests(self.world.sdk()),
            power_off=["true"],
            tell=self.told.append,
            pauses=(0.0, 0.0),
        )


@pytest.mark.parametrize(
    ("code", "status", "sent"),
    [("RequestLimitExceeded", 503, 15), ("UnauthorizedOperation", 403, 3)],
)
def test_a_worker_whose_cancel_is_refused_stays_and_the_control_plane_ends_it(
    world: SdkWorld, code: str, status: int, sent: int
) -> None:
    machine = Machines(world)
    world.ec2.refusals[CANCEL] = (status, code)

    assert machine.conclude() == shutdown.TRY_AGAIN
    assert world.sent(CANCEL) == sent  # three tries, each with the SDK's own
    assert "the instance stays" in machine.told[0]
    world.ec2.refusals.clear()
    world.mute = {machine.instance}
    world.beat(machine.instance, phase="ended", why=machine.told[0])
    world.tick(4)

    assert world.ec2.machines[machine.instance].state == "terminated"
    assert world.ec2.requests[machine.request].state is SpotState.CANCELLED


def test_a_worker_whose_request_ec2_does_not_know_yet_asks_again_and_goes(
    world: SdkWorld,
) -> None:
    machine = Machines(world)
    describe = world.ec2.describe_spot_instance_requests
    unknown = iter([True, True])

    def late(**given: object) -> Any:
        if next(unknown, None):
            code = "InvalidSpotInstanceRequestID.NotFound"
            raise refused(code, "DescribeSpotInstanceRequests")
        return describe(**given)

    world.ec2.describe_spot_instance_requests = late  # type: ignore[method-assign]

    assert machine.conclude() == 0
    assert world.ec2.requests[machine.request].state is SpotState.CANCELLED
