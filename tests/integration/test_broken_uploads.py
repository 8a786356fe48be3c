"""An upload that is broken off half-way, as by a spot interruption: all of the object or none."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from obstore.store import S3Store

import emulator
from aws_parallelizer.aws import objects
from aws_parallelizer.aws.objects import Objects
from waiting import until

BODY = bytes(range(256)) * 4096 * 32  # 32 MiB, in parts


def store_at(endpoint: str) -> Any:
    return lambda bucket: S3Store(
        bucket,
        endpoint=endpoint,
        region=emulator.REGION,
        access_key_id="test",
        secret_access_key="test",
        client_options={"allow_http": True},
    )


@pytest.mark.parametrize("beforehand", [b"", b"an earlier attempt's"])
def test_an_upload_that_is_broken_off_leaves_no_half_object_and_can_be_made_again(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beforehand: bytes
) -> None:
    monkeypatch.setattr(objects, "PUT_BYTES", 9 * 1024 * 1024)
    s3 = emulator.client("s3", endpoint)
    bucket = f"bucket-{uuid.uuid4()}"
    s3.create_bucket(Bucket=bucket)
    if beforehand:
        s3.put_object(Bucket=bucket, Key="large", Body=beforehand)
    path = tmp_path / "large"
    path.write_bytes(BODY)
    storing = Objects(s3, store=store_at(endpoint))

    def begun() -> bool:
        return bool(s3.list_multipart_uploads(Bucket=bucket).get("Uploads"))

    def there() -> bytes:
        try:
            body: bytes = s3.get_object(Bucket=bucket, Key="large")["Body"].read()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchKey"
            return b""
        return body

    async def upload() -> None:
        await storing.upload(path, bucket=bucket, key="large", maker="me", replace=True)

    async def story() -> None:
        uploading = asyncio.create_task(upload())
        await asyncio.to_thread(until, begun, seconds=30, what="parts", every=0.01)
        uploading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await uploading
        assert await asyncio.to_thread(there) in (beforehand, BODY)
        assert not await asyncio.to_thread(begun)  # and no parts that nobody would ever complete
        await upload()

    asyncio.run(story())
    assert there() == BODY
