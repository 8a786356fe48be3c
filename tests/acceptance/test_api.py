"""The HTTP API of the deployed stack, as a stranger calls it."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from acceptance.cloud import Cloud
from waiting import until

RUN = "#!/bin/sh\necho hello\n"


def test_an_unsigned_call_is_refused(cloud: Cloud) -> None:
    for method, path in [("GET", "/jobs"), ("PUT", "/jobs/x"), ("DELETE", "/jobs/x")]:
        assert cloud.call(method, path, signed=False).status == 403


def test_bad_parameters_are_refused_all_at_once_by_name(cloud: Cloud) -> None:
    wrong = {"numThread": 3, "maxPrice": -1, "visibilityTimeout": "soon"}
    answer = cloud.call("PUT", "/jobs/bad", wrong)
    assert answer.status == 400
    assert answer.body["Code"]
    for name in (*wrong, "numThreads", "environmentZip", "analysisProgram"):
        assert name in answer.body["Message"]
    assert cloud.call("GET", "/jobs/bad").status == 404


@pytest.mark.parametrize("name", ["UPPER", "a" * 41, "a_b", "a%20b", "..x"])
def test_a_name_that_is_not_allowed_is_refused(cloud: Cloud, name: str) -> None:
    wanted = {"environmentZip": "e.zip", "analysisProgram": "run.sh"}
    assert cloud.call("PUT", f"/jobs/{name}", wanted).status == 400


def test_a_parameter_file_of_the_java_program_makes_a_job_and_no_secret_comes_back(
    cloud: Cloud,
) -> None:
    lines = [
        "accessKey=AKIAX",
        "secretKey=hush/hush",
        "environmentZip=e.zip",
        "analysisProgram=run.sh",
    ]
    text = "\r\n".join(lines)
    created = cloud.call("PUT", "/jobs/java", text)
    assert created.status in (200, 201)
    assert "hush" not in str(created.body)
    shown = cloud.job("java")
    assert shown["job"] == "java"
    assert shown["parameters"]["inputPrefix"] == "java/"
    assert shown["parameters"]["queueURL"]
    assert "hush" not in str(shown)
    assert "java" in {one["job"] for one in cloud.call("GET", "/jobs").body["jobs"]}


def test_two_jobs_may_not_contain_each_others_inputs(cloud: Cloud) -> None:
    cloud.create("outer", {"run.sh": RUN})
    wanted = {"environmentZip": "e", "analysisProgram": "r", "inputPrefix": "outer/inner/"}
    answer = cloud.call("PUT", "/jobs/inner", wanted)
    assert answer.status in (400, 409)
    assert "inputPrefix" in answer.body["Message"]


def test_the_panic_button_ends_this_jobs_machines_and_no_others(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    [image, *_] = ec2.describe_images()["Images"]
    foreign = ec2.run_instances(
        ImageId=image["ImageId"], InstanceType="t3.micro", MinCount=1, MaxCount=1
    )["Instances"][0]["InstanceId"]
    slow = "#!/bin/sh\nsleep 60\n"
    cloud.create("panic", {"run.sh": slow}, spotType="persistent", maxInstances=2, numThreads=1)
    cloud.put("panic", {f"{i}.txt": b"x" for i in range(4)})
    until(lambda: cloud.counts("panic")["running"], seconds=90, what="a task runs")

    answer = cloud.call("DELETE", "/jobs/panic/instances")
    assert answer.status == 202
    cloud.wait_until_gone("panic", seconds=60)
    described = ec2.describe_instances(InstanceIds=[foreign])
    assert described["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"
    assert cloud.job("panic")["status"]["state"] == "stopped"


def test_instances_are_launched_by_hand_and_once_for_a_repeated_call(cloud: Cloud) -> None:
    cloud.create("byhand", {"run.sh": RUN}, maxInstances=3, idleTimeout=60)
    headers = {"Idempotency-Key": "launch-byhand"}
    for _ in range(2):
        answer = cloud.call("POST", "/jobs/byhand/instances", {"count": 1}, headers=headers)
        assert answer.status == 202
    until(lambda: cloud.instances("byhand"), seconds=60, what="an instance runs")
    shown = until(
        lambda: cloud.call("GET", "/jobs/byhand/instances").body["instances"],
        seconds=30,
        what="the API shows it",
    )
    assert len(shown) == len(cloud.instances("byhand")) == 1
    cloud.wait_until_gone("byhand", seconds=120)
    for wrong in ({"count": -1}, {"count": "many"}, {"count": 1, "maxPrice": 0}, {"number": 1}):
        assert cloud.call("POST", "/jobs/byhand/instances", wrong).status == 400


def test_a_deleted_job_is_gone_with_its_queues_and_its_outputs_stay(cloud: Cloud) -> None:
    cloud.create("gone", {"run.sh": "#!/bin/sh\necho x > o\necho o\n"}, maxInstances=1)
    cloud.put("gone", {"a.txt": b"x"})
    cloud.wait_until_ended("gone", 1, seconds=90)
    queue = cloud.job("gone")["parameters"]["queueURL"]
    assert cloud.call("DELETE", "/jobs/gone").status == 202
    until(lambda: cloud.call("GET", "/jobs/gone").status == 404, seconds=90, what="the job is gone")
    assert cloud.instances("gone") == []
    assert cloud.outputs("gone") == {"o": b"x\n"}
    queues = cloud.client("sqs").list_queues(QueueNamePrefix=queue.rpartition("/")[2])
    assert queues.get("QueueUrls", []) == []


def test_one_task_is_found_by_its_key_whatever_the_key_is(cloud: Cloud) -> None:
    cloud.create(
        "why", {"run.sh": "#!/bin/sh\necho made > out.txt\necho out.txt\n"}, maxInstances=1
    )
    key = "why/dir/a b+c%20é.txt"
    cloud.put("why", {key.removeprefix("why/"): b"x"})
    cloud.wait_until_ended("why", 1, seconds=90)
    task = cloud.call("GET", f"/jobs/why/task?key={quote(key, safe='')}").body
    assert (task["key"], task["state"], task["outcome"], task["exitCode"]) == (
        key,
        "done",
        "done",
        0,
    )
    [output] = task["outputs"]
    assert (output["key"], output["size"]) == ("why/dir/out.txt", 5)
    assert output["checksum"]
    assert task["instance"].startswith("i-")
    assert task["started"].endswith("Z")
    assert cloud.call("GET", "/jobs/why/task?key=other").status == 404
