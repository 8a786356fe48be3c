"""A Celery app on SQS, as its documentation advises for tasks that must not be lost; run as a
program, it enqueues the keys on standard input.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
from celery import Celery

get = os.environ.__getitem__
app = Celery("peers", broker="sqs://test:test@")
app.conf.update(
    task_default_queue=get("BENCH_QUEUE"),
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=4,
    worker_enable_remote_control=False,
    broker_transport_options={
        "region": get("AWS_REGION"),
        "is_secure": False,
        "wait_time_seconds": 5,
        "polling_interval": 0,
        "predefined_queues": {get("BENCH_QUEUE"): {"url": get("BENCH_QUEUE_URL")}},
    },
)
s3 = boto3.client("s3")


@app.task(name="work")
def work(key: str) -> None:
    """Download, run, upload."""
    name = Path(key).name
    folder = Path(tempfile.mkdtemp(dir=get("BENCH_FOLDER")))
    body = s3.get_object(Bucket=get("BENCH_IN"), Key=key)["Body"].read()
    (folder / name).write_bytes(body)
    ran = subprocess.run([get("BENCH_PROGRAM"), name], cwd=folder, check=True, capture_output=True)
    for output in ran.stdout.decode().split():
        stored = f"results/{output}"
        s3.put_object(Bucket=get("BENCH_OUT"), Key=stored, Body=(folder / output).read_bytes())
    shutil.rmtree(folder)


if __name__ == "__main__":
    for line in sys.stdin:
        work.delay(line.strip())
