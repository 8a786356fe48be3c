"""The simplest worker there is: one message, download, run, upload, delete, and again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import boto3

get = os.environ.__getitem__
sqs, s3 = boto3.client("sqs"), boto3.client("s3")
while True:
    answer = sqs.receive_message(QueueUrl=get("BENCH_QUEUE_URL"), WaitTimeSeconds=1)
    for message in answer.get("Messages", ()):
        key = message["Body"]
        name = Path(key).name
        folder = Path(tempfile.mkdtemp(dir=get("BENCH_FOLDER")))
        s3.download_file(get("BENCH_IN"), key, str(folder / name))
        ran = subprocess.run(
            [get("BENCH_PROGRAM"), name], cwd=folder, check=True, capture_output=True
        )
        for output in ran.stdout.decode().split():
            s3.upload_file(str(folder / output), get("BENCH_OUT"), f"results/{output}")
        shutil.rmtree(folder)
        sqs.delete_message(QueueUrl=get("BENCH_QUEUE_URL"), ReceiptHandle=message["ReceiptHandle"])
