"""Credentials that ended while a clock that had jumped back says that they have not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from aws_parallelizer.aws.object_errors import ObjectFailure, ObjectMissing, ObjectTaken
from aws_parallelizer.aws.objects import Objects

EXPIRED = (
    "Generic S3 error: Error performing GET https://in.s3.amazonaws.com/key: Client error with "
    "status 400 Bad Request: <Error><Code>ExpiredToken</Code></Error>"
)


@pytest.mark.parametrize("direction", ["down", "up"])
def test_credentials_that_s3_calls_expired_are_asked_for_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direction: str
) -> None:
    made: list[MemoryStore] = []

    def store(_bucket: str) -> Any:
        made.append(MemoryStore())
        return made[-1]

    async def call(of: Any, *_arguments: object, **_more: object) -> object:
        if of is made[0]:
            raise GenericError(EXPIRED)
        raise FileNotFoundError("its credentials are good")

    monkeypatch.setattr(obstore, "get_async" if direction == "down" else "put_async", call)
    objects, file = Objects(None, store=store), tmp_path / "file"
    file.write_bytes(b"body")

    def move() -> None:
        if direction == "down":
            asyncio.run(objects.download("in", "key", to=file))
        else:
            asyncio.run(objects.upload(file, bucket="in", key="key"))

    with pytest.raises(ObjectFailure, match="ExpiredToken"):
        move()
    for _ in range(2):
        with pytest.raises((ObjectMissing, ObjectTaken), match="its credentials are good"):
            move()
    assert len(made) == 2
