"""A job that is paused while it runs, and resumed: on new machines, or on those it had parked."""

from __future__ import annotations

from acceptance.cloud import Cloud
from waiting import until

SLOW_COPY = """#!/bin/sh
sleep 2
cp "$1" copy && mkdir -p out && mv copy "out/$1" && echo "out/$1"
"""
FILES = {f"{number:02}.txt": f"file {number}".encode() for number in range(14)}


def pause_in_the_middle(cloud: Cloud, job: str) -> None:
    cloud.put(job, FILES)
    until(lambda: cloud.counts(job)["running"], seconds=60, what="a task runs")
    answer = cloud.call("POST", f"/jobs/{job}/pause", {})
    assert (answer.status, answer.body["status"]["state"]) == (202, "paused")


def resume(cloud: Cloud, job: str) -> None:
    answer = cloud.call("POST", f"/jobs/{job}/resume", {})
    assert (answer.status, answer.body["status"]["state"]) == (202, "active")


def counts_at_rest(cloud: Cloud, job: str) -> dict[str, int]:
    """What stands in the middle of the work: nothing runs, something is done, something left."""
    counts = cloud.counts(job)
    assert counts["running"] == 0
    assert counts["queued"] > 0
    assert counts["done"] + counts["queued"] == len(FILES)
    return counts


def all_are_done_once(cloud: Cloud, job: str) -> None:
    counts = cloud.wait_until_ended(job, len(FILES), seconds=180)
    assert counts["done"] == len(FILES)
    assert {task["attempts"] for task in cloud.tasks(job)} == {1}
    assert cloud.outputs(job) == {f"out/{key}": body for key, body in FILES.items()}


def test_a_paused_job_begins_no_task_and_lets_its_machines_end_and_a_resume_finishes_it(
    cloud: Cloud,
) -> None:
    cloud.create("paused", {"run.sh": SLOW_COPY}, maxInstances=1, numThreads=2, idleTimeout=4)
    pause_in_the_middle(cloud, "paused")
    cloud.wait_until_gone("paused")
    counts = counts_at_rest(cloud, "paused")
    refused = cloud.call("POST", "/jobs/paused/instances", {"count": 1})
    assert refused.status == 409
    assert "resume it first" in refused.body["Message"]
    observed = cloud.job("paused")["status"]["observed"]
    until(
        lambda: cloud.job("paused")["status"]["observed"] > observed,
        seconds=60,
        what="reconcile looks at the paused job again",
    )
    assert cloud.instances("paused") == []
    assert cloud.counts("paused") == counts
    resume(cloud, "paused")
    all_are_done_once(cloud, "paused")
    cloud.wait_until_gone("paused")


def test_a_parked_machine_is_started_again_and_goes_when_the_work_is_done(cloud: Cloud) -> None:
    cloud.create(
        "parked", {"run.sh": SLOW_COPY}, spotType="persistent", shutdownBehavior="stop",
        maxInstances=1, numThreads=2, idleTimeout=4,
    )  # fmt: skip
    pause_in_the_middle(cloud, "parked")
    [before] = cloud.instances("parked")

    def state() -> str:
        [instance] = cloud.instances("parked")
        return str(instance["State"]["Name"])

    until(lambda: state() == "stopped", seconds=90, what="the machine is parked")
    [request] = cloud.requests("parked")
    assert (request["State"], request["Status"]["Code"]) == ("disabled", "instance-stopped-by-user")
    counts_at_rest(cloud, "parked")
    resume(cloud, "parked")
    all_are_done_once(cloud, "parked")
    assert {task["instance"] for task in cloud.tasks("parked")} == {before["InstanceId"]}
    cloud.wait_until_gone("parked")
    assert {one["State"] for one in cloud.requests("parked")} <= {"cancelled", "closed"}
