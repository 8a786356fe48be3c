"""The image that `make ami` built, booted by real jobs of the local cloud."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from rehearsal.ami import PROGRAM, Ami, Machines
from waiting import until

pytestmark = pytest.mark.usefixtures("emulated")  # it boots meanwhile

SLOW = '#!/bin/sh\nsleep 2\ncp "$1" out.txt\necho out.txt\n'


def only_instance(cloud: Machines, job: str) -> str:
    """The instance that did all of the job's tasks."""
    [instance] = {task["instance"] for task in cloud.tasks(job)}
    return str(instance)


def seconds_to_first_task(cloud: Machines, job: str, instance: str) -> float:
    """From the launch of the instance to the end of its first task."""
    first = min(datetime.fromisoformat(task["finished"]) for task in cloud.tasks(job))
    launched: datetime = cloud.described(instance)["LaunchTime"]
    return (first - launched).total_seconds()


def test_the_tasks_of_a_job_are_done_by_the_booted_image_which_then_ends_its_instance(
    cloud: Machines, ami: Ami, record_property: Any
) -> None:
    cloud.create(
        "booted", {"run.sh": PROGRAM}, maxInstances=1, spotType="persistent", idleTimeout=3
    )
    cloud.put_together("booted", {f"{i}.txt": b"x" for i in range(6)})
    assert cloud.wait_until_ended("booted", 6, seconds=300)["done"] == 6
    instance = only_instance(cloud, "booted")
    assert cloud.described(instance)["ImageId"] == ami.images["us-east-1"]
    told = {
        body.decode() for name, body in cloud.outputs("booted").items() if name.endswith(".seen")
    }
    assert told == {"parallelizer-program\n13\nshut\n"}
    until(lambda: cloud.state(instance) == "terminated", seconds=180, what="it powers itself off")
    assert cloud.described(instance)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert "the worker ends and shuts the instance down" in cloud.console(instance)
    took = seconds_to_first_task(cloud, "booted", instance)
    record_property("nspawn, launch to the first task's end", f"{took:.1f} s")


def test_its_persistent_request_was_cancelled_before_it_went_and_nothing_replaced_it(
    cloud: Machines, ami: Ami
) -> None:
    [request] = cloud.requests("booted")
    assert request["State"] == "cancelled"
    assert request["Status"]["Code"] != "canceled-before-fulfillment"
    instance = request["InstanceId"]
    assert instance == only_instance(cloud, "booted")
    console = cloud.console(instance)
    assert "exit code of its own" not in console
    cancelled = [
        id_
        for call in cloud.calls("CancelSpotInstanceRequests")
        for id_ in call["SpotInstanceRequestIds"]
    ]
    assert request["SpotInstanceRequestId"] in cancelled
    cloud.wait_until_gone("booted")


def test_a_job_that_stops_its_instances_starts_the_same_one_again(
    cloud: Machines, ami: Ami
) -> None:
    cloud.create(
        "parked",
        {"run.sh": PROGRAM},
        maxInstances=1,
        spotType="persistent",
        shutdownBehavior="stop",
        idleTimeout=3,
    )
    cloud.put("parked", {"first.txt": b"x"})
    cloud.wait_until_ended("parked", 1, seconds=300)
    instance = only_instance(cloud, "parked")
    until(lambda: cloud.state(instance) == "stopped", seconds=180, what="it stops itself")
    assert "parks the instance" in cloud.console(instance)
    cloud.put("parked", {"second.txt": b"x"})
    assert cloud.wait_until_ended("parked", 2, seconds=300)["done"] == 2
    assert only_instance(cloud, "parked") == instance
    assert cloud.call("DELETE", "/jobs/parked").status in (200, 202, 204)
    until(lambda: cloud.state(instance) == "terminated", seconds=240, what="it is terminated")


def test_a_spot_notice_releases_what_cannot_finish_and_another_machine_does_it(
    cloud: Machines, ami: Ami
) -> None:
    cloud.create("noticed", {"run.sh": SLOW}, maxInstances=1, numThreads=1, idleTimeout=3)
    cloud.put_together("noticed", {f"{i}/{i}.txt": b"x" for i in range(8)})
    until(lambda: cloud.counts("noticed")["done"], seconds=240, what="a task is done")
    [instance] = cloud.instances("noticed")
    cloud.reclaim(instance["InstanceId"], notice=8)
    assert cloud.wait_until_ended("noticed", 8, seconds=300)["done"] == 8
    assert {task["attempts"] for task in cloud.tasks("noticed")} == {1}
    assert len({task["instance"] for task in cloud.tasks("noticed")}) == 2
    assert "notice" in cloud.console(instance["InstanceId"])
    cloud.wait_until_gone("noticed")
