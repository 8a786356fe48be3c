"""The main job: files dropped in the bucket come out processed, whatever they are called."""

from __future__ import annotations

import hashlib
import os
import signal

from acceptance.cloud import Cloud
from waiting import until

# Digests its input; a file that holds "poison" fails, one that holds "slow" takes a while.
DIGEST = """#!/bin/sh
set -e
if grep -q poison "$1"; then echo "this file is poisoned" >&2; exit 3; fi
if grep -q slow "$1"; then sleep 2; fi
mkdir -p results
sha256sum < "$1" > "results/$1.sha256"
printf '%s\\n' "results/$1.sha256"
"""
ODD_KEYS = [
    "a b+c%20é.txt",
    "it's; rm -rf $(x).txt",
    "日本/語.bin",
    "dir/a b+c%20é.txt",
    "-rf.txt",
    'quote".txt',
    "star*?[x].txt",
    "back\\slash.txt",
    "#hash&amp;.txt",
]


def digest(body: bytes) -> bytes:
    return f"{hashlib.sha256(body).hexdigest()}  -\n".encode()


def output_name(key: str) -> str:
    directory, slash, name = key.rpartition("/")
    return f"{directory}{slash}results/{name}.sha256"


def test_300_files_with_odd_keys_come_out_byte_for_byte_and_nothing_is_left_running(
    cloud: Cloud,
) -> None:
    cloud.create(
        "main", {"run.sh": DIGEST}, spotType="persistent", maxInstances=2, idleTimeout=5,
        visibilityTimeout=30,
    )  # fmt: skip
    files = {key: f"content of {key}".encode() for key in ODD_KEYS}
    files |= {f"plain/{i:03}.txt": os.urandom(64).hex().encode() for i in range(290)}
    files |= {"empty.txt": b"", "poison.txt": b"poison"}
    cloud.put("main", {**files, "marker/": b""})

    counts = cloud.wait_until_ended("main", len(files), seconds=180)
    assert counts == {"queued": 0, "running": 0, "done": len(files) - 1, "failed": 1, "skipped": 0}
    expected = {
        output_name(key): digest(body) for key, body in files.items() if key != "poison.txt"
    }
    stored = {key: body for key, body in cloud.outputs("main").items() if key in expected}
    assert stored == expected

    [failed] = cloud.tasks("main", "&state=failed")
    assert failed["key"] == "main/poison.txt"
    assert (failed["outcome"], failed["exitCode"], failed["attempts"]) == ("program-error", 3, 3)
    assert "this file is poisoned" in failed["lastOutput"]
    assert {task["key"] for task in cloud.tasks("main")} == {f"main/{key}" for key in files}

    cloud.wait_until_gone("main")
    persistent = cloud.requests("main")
    assert persistent
    assert {request["State"] for request in persistent} <= {"cancelled", "closed"}
    status = cloud.job("main")["status"]
    assert status["spent"] > 0
    assert status["dollarsPerTask"] > 0
    assert (status["forecast"], status["unpriced"]) == (status["spent"], [])

    sent = [line for line in cloud.workers_lines() if line["job"] == "main"]
    assert 0 < sum(line.get("Done", 0) for line in sent) <= len(files) - 1
    assert {(line["Stack"], line["Job"]) for line in sent if "_aws" in line} == {
        ("parallelizer", "main")
    }
    assert any(line["message"].startswith("the worker ends") for line in sent)


def test_a_worker_killed_in_mid_task_loses_nothing(cloud: Cloud) -> None:
    cloud.create(
        "killed", {"run.sh": DIGEST}, maxInstances=1, numThreads=2, idleTimeout=5,
        visibilityTimeout=30,
    )  # fmt: skip
    files = {f"{i}.txt": f"slow {i}".encode() for i in range(8)}
    cloud.put("killed", files)
    until(lambda: cloud.counts("killed")["running"], seconds=60, what="a task runs")
    [instance] = cloud.instances("killed")
    os.kill(cloud.pid(instance["InstanceId"]), signal.SIGKILL)

    counts = cloud.wait_until_ended("killed", len(files), seconds=180)
    assert counts["done"] == len(files)
    assert cloud.outputs("killed") == {output_name(k): digest(body) for k, body in files.items()}
    tasks = cloud.tasks("killed")
    assert {task["attempts"] for task in tasks} == {1}
    assert sum(task["reclaims"] for task in tasks) >= 1
    cloud.wait_until_gone("killed")


def test_defect_18_a_persistent_request_that_started_another_instance_is_cancelled_at_the_end(
    cloud: Cloud,
) -> None:
    cloud.create(
        "relaunch", {"run.sh": DIGEST}, spotType="persistent", maxInstances=1, numThreads=1,
        idleTimeout=5, visibilityTimeout=30,
    )  # fmt: skip
    files = {f"{i}.txt": f"slow {i}".encode() for i in range(5)}
    cloud.put("relaunch", files)
    until(lambda: cloud.counts("relaunch")["running"], seconds=60, what="a task runs")
    [first] = cloud.instances("relaunch")
    cloud.client("ec2").terminate_instances(InstanceIds=[first["InstanceId"]])

    counts = cloud.wait_until_ended("relaunch", len(files), seconds=180)
    assert counts["done"] == len(files)
    cloud.wait_until_gone("relaunch")
    assert {request["State"] for request in cloud.requests("relaunch")} <= {"cancelled", "closed"}


def test_a_newer_object_is_worked_on_anew_and_a_repeated_upload_is_not(cloud: Cloud) -> None:
    cloud.create("newer", {"run.sh": DIGEST}, maxInstances=1, idleTimeout=5)
    cloud.put("newer", {"a.txt": b"first"})
    cloud.wait_until_ended("newer", 1, seconds=90)
    cloud.put("newer", {"a.txt": b"second"})
    until(
        lambda: cloud.outputs("newer").get(output_name("a.txt")) == digest(b"second"),
        seconds=120,
        what="the newer object's output",
    )
    [task] = until(lambda: cloud.tasks("newer", "&state=done"), seconds=30, what="the task is done")
    cloud.put("newer", {"a.txt": b"second", "b.txt": b"other"})
    cloud.wait_until_ended("newer", 2, seconds=120)
    again = {one["key"]: one for one in cloud.tasks("newer")}
    assert again["newer/a.txt"]["finished"] == task["finished"]


def test_files_that_were_there_before_the_job_are_enqueued_on_request(cloud: Cloud) -> None:
    files = {f"{i}.txt": str(i).encode() for i in range(30)}
    cloud.put("early", files)
    cloud.create("early", {"run.sh": DIGEST}, maxInstances=1, idleTimeout=5)
    headers = {"Idempotency-Key": "enqueue-early"}
    first = cloud.call("POST", "/jobs/early/enqueue", {}, headers=headers)
    second = cloud.call("POST", "/jobs/early/enqueue", {}, headers=headers)
    assert (first.status, second.body) == (202, first.body)
    counts = cloud.wait_until_ended("early", 30, seconds=120)
    assert counts["done"] == 30
    assert {task["attempts"] for task in cloud.tasks("early")} == {1}


def test_a_poison_upload_message_holds_up_neither_files_nor_the_fleets_end(
    cloud: Cloud,
) -> None:
    sqs = cloud.client("sqs")
    [uploads] = [
        url for url in sqs.list_queues()["QueueUrls"] if "-UploadsQueue-" in url.rpartition("/")[2]
    ]
    sqs.send_message(QueueUrl=uploads, MessageBody="not JSON")
    cloud.create("poison", {"run.sh": DIGEST}, maxInstances=1)
    cloud.put("poison", {"a.txt": b"a"})
    cloud.wait_until_ended("poison", 1, seconds=90)
    cloud.wait_until_gone("poison", seconds=90)
