"""Large files whose way to S3 or back is disturbed: the bytes are right, or there is an error."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import emulator
from aws_parallelizer.aws import aside, objects
from aws_parallelizer.aws.object_errors import (
    ObjectFailure,
    ObjectMissing,
    ObjectRefused,
    ObjectTaken,
)
from aws_parallelizer.aws.objects import Fetched, Objects, Stored
from aws_parallelizer.aws.sections import Section
from aws_parallelizer.aws.stores import stores
from proxy import Answer, Call, Proxy
from waiting import until

BODY = bytes(range(256)) * 4096 * 20  # 20 MiB
OTHER = BODY[::-1]
FAILED = b"<Error><Code>InternalError</Code><Message>Please try again.</Message></Error>"
REFUSED = Answer(403, {}, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")


class Bucket:
    """A bucket behind a proxy: its calls are `GET in`, `PUT in`."""

    def __init__(self, endpoint: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in emulator.CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        self.name = f"{uuid.uuid4().hex[:8]}-in"
        self.direct = emulator.client("s3", endpoint)
        self.direct.create_bucket(Bucket=self.name)
        s3 = emulator.client("s3", proxy.url)
        self.objects = Objects(s3, store=stores(s3))

    def put(self, body: bytes, **more: str) -> str:
        """The ETag."""
        told = self.direct.put_object(Bucket=self.name, Key="key", Body=body, **more)
        return str(told["ETag"]).strip('"')

    def get(self) -> bytes:
        body: bytes = self.direct.get_object(Bucket=self.name, Key="key")["Body"].read()
        return body

    def has_unfinished_uploads(self) -> bool:
        return bool(self.direct.list_multipart_uploads(Bucket=self.name).get("Uploads"))

    def download(self, to: Path, *, etag: str = "") -> Fetched:
        call = self.objects.download(self.name, "key", to=to, size=len(BODY), etag=etag)
        return asyncio.run(call)

    def upload(self, path: Path) -> Stored:
        return asyncio.run(self.objects.upload(path, bucket=self.name, key="key", maker="me"))


@pytest.fixture
def bucket(endpoint: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    return Bucket(endpoint, proxy, monkeypatch)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(BODY)
    return path


def broken_off(times: int, then: Callable[[], object] = lambda: None) -> Callable[..., Answer]:
    """Of so many answers only the first half comes."""
    left = [times]

    def after(call: Call, answer: Answer) -> Answer:
        if call.name != "GET in" or not left[0] or answer.status >= 300:
            return answer
        left[0] -= 1
        then()
        headers = answer.headers | {"Content-Length": str(len(answer.body)), "Connection": "close"}
        return answer._replace(headers=headers, body=answer.body[: len(answer.body) // 2])

    return after


@pytest.mark.parametrize("checksum", ["CRC32", "SHA256"])
def test_a_download_that_breaks_off_is_taken_up_where_it_ended(
    bucket: Bucket, proxy: Proxy, tmp_path: Path, checksum: str
) -> None:
    etag = bucket.put(BODY, ChecksumAlgorithm=checksum)
    asked: list[int] = []
    break_off = broken_off(3)

    def after(call: Call, answer: Answer) -> Answer:
        asked.append(len(answer.body))
        return break_off(call, answer)

    proxy.after = after
    assert bucket.download(tmp_path / "back") == (len(BODY), etag)
    assert (tmp_path / "back").read_bytes() == BODY
    assert asked == sorted(asked, reverse=True)
    assert len(asked) == 4
    assert asked[-1] < len(BODY) / 4  # nothing that was there came twice


def test_a_download_of_what_changes_meanwhile_is_no_mixture(
    bucket: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    bucket.put(BODY)
    proxy.after = broken_off(1, lambda: bucket.put(OTHER))
    with pytest.raises(ObjectFailure, match="changed while it was read"):
        bucket.download(tmp_path / "back")
    bucket.download(tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == OTHER


def test_a_download_of_what_is_deleted_meanwhile_says_so(
    bucket: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    bucket.put(BODY)
    proxy.after = broken_off(1, lambda: bucket.direct.delete_object(Bucket=bucket.name, Key="key"))
    with pytest.raises(ObjectMissing):
        bucket.download(tmp_path / "back")


@pytest.mark.parametrize("times", [0, 1], ids=["in one piece", "in two"])
def test_a_download_that_s3_knows_another_checksum_of_is_a_failure(
    bucket: Bucket, proxy: Proxy, tmp_path: Path, times: int
) -> None:
    bucket.put(BODY)
    break_off = broken_off(times)

    def lie(call: Call, answer: Answer) -> Answer:
        kept = {k: v for k, v in answer.headers.items() if "checksum" not in k.lower()}
        if answer.status == 200:
            kept["x-amz-checksum-crc32"] = "AAAAAA=="
        return break_off(call, answer._replace(headers=kept))

    proxy.after = lie
    with pytest.raises(ObjectFailure, match="checksum"):
        bucket.download(tmp_path / "back")


def test_a_download_that_cannot_be_told_from_the_next_version_is_a_failure(
    bucket: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    bucket.put(BODY)
    proxy.after = lambda _call, answer: answer._replace(
        headers={k: v for k, v in answer.headers.items() if k.lower() != "etag"}
    )
    with pytest.raises(ObjectFailure, match="without an ETag"):
        bucket.download(tmp_path / "back")


def test_a_download_of_which_no_more_comes_is_a_failure_and_not_asked_for_without_end(
    bucket: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    bucket.put(BODY)

    def nothing(_call: Call, answer: Answer) -> Answer:
        headers = answer.headers | {"Content-Length": str(len(answer.body)), "Connection": "close"}
        return answer._replace(headers=headers, body=b"")

    proxy.after = nothing
    with pytest.raises(ObjectFailure):
        bucket.download(tmp_path / "back")
    assert proxy.seen["GET in"] == 1


def without_checksums(answer: Answer) -> Answer:
    told = answer.headers.items()
    kept = {name: value for name, value in told if not name.lower().startswith("x-amz-checksum")}
    return answer._replace(headers=kept)


def half(answer: Answer) -> Answer:
    length = {"Content-Length": str(len(BODY) // 2)}
    return answer._replace(headers=answer.headers | length, body=BODY[: len(BODY) // 2])


def another(answer: Answer) -> Answer:
    etag = {"ETag": f'"{hashlib.md5(OTHER).hexdigest()}"'}
    kept = {name: value for name, value in answer.headers.items() if name.lower() != "etag"}
    return answer._replace(headers=kept | etag, body=OTHER)


@pytest.mark.parametrize("lie", [half, another])
def test_a_large_object_that_is_not_the_one_that_was_asked_for_is_a_failure(
    bucket: Bucket, proxy: Proxy, tmp_path: Path, lie: Callable[[Answer], Answer]
) -> None:
    etag = bucket.put(BODY)
    proxy.after = lambda _call, answer: lie(without_checksums(answer))
    with pytest.raises(ObjectFailure, match="as was asked for"):
        bucket.download(tmp_path / "down", etag=etag)


def test_an_upload_of_which_a_part_is_refused_leaves_nothing(
    bucket: Bucket, proxy: Proxy, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PUT_BYTES", 1)
    proxy.before = lambda call: REFUSED if proxy.seen["PUT in"] > 1 and call.body else None
    with pytest.raises(ObjectRefused):
        bucket.upload(large)
    assert proxy.seen["PUT in"] == 2
    assert not bucket.has_unfinished_uploads()


def test_parts_whose_answers_get_lost_are_sent_again(
    bucket: Bucket, proxy: Proxy, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PUT_BYTES", 1)
    lost = iter([Answer(503, {}, b"<Error><Code>SlowDown</Code></Error>")] * 2)
    proxy.after = lambda call, answer: next(lost, answer) if call.name == "PUT in" else answer
    stored = bucket.upload(large)
    assert stored == (len(BODY), f"sha256:{hashlib.sha256(BODY).hexdigest()}")
    assert bucket.get() == BODY
    assert proxy.seen["PUT in"] == 4


@pytest.mark.parametrize("happened", [False, True], ids=["not completed", "completed"])
def test_an_upload_whose_completion_is_answered_200_with_an_error_is_whole_or_an_error(
    bucket: Bucket, proxy: Proxy, large: Path, monkeypatch: pytest.MonkeyPatch, happened: bool
) -> None:
    monkeypatch.setattr(objects, "PUT_BYTES", 1)
    failed = Answer(200, {"Content-Type": "application/xml"}, FAILED)
    told = iter([failed])

    def completion(call: Call, answer: Answer | None) -> Answer | None:
        return next(told, answer) if b"<CompleteMultipartUpload" in call.body else answer

    if happened:
        proxy.after = lambda call, answer: completion(call, answer) or answer
        # Where S3 then knows of no such upload, the caller finds out whose object is there.
        with contextlib.suppress(ObjectTaken):
            assert bucket.upload(large).size == len(BODY)
    else:
        proxy.before = lambda call: completion(call, None)
        assert bucket.upload(large).size == len(BODY)
    assert next(told, None) is None
    assert bucket.get() == BODY
    assert not bucket.has_unfinished_uploads()


@pytest.mark.parametrize("in_parts", [False, True], ids=["in one call", "in parts"])
def test_what_s3_gets_other_than_was_read_is_refused_by_it(
    bucket: Bucket, large: Path, monkeypatch: pytest.MonkeyPatch, in_parts: bool
) -> None:
    if in_parts:
        monkeypatch.setattr(objects, "PUT_BYTES", 1)
    change_between(monkeypatch, lambda: overwrite(large, b"\0"))
    with pytest.raises(ObjectFailure):
        bucket.upload(large)
    assert not bucket.direct.list_objects_v2(Bucket=bucket.name)["KeyCount"]
    assert not bucket.has_unfinished_uploads()


@pytest.mark.parametrize("in_parts", [False, True], ids=["in one call", "in parts"])
def test_a_file_that_gets_shorter_on_its_way_is_a_failure(
    bucket: Bucket, large: Path, monkeypatch: pytest.MonkeyPatch, in_parts: bool
) -> None:
    if in_parts:
        monkeypatch.setattr(objects, "PUT_BYTES", 1)
    change_between(monkeypatch, lambda: large.write_bytes(b"short"))
    with pytest.raises(ObjectFailure, match="got shorter"):
        bucket.upload(large)
    assert not bucket.direct.list_objects_v2(Bucket=bucket.name)["KeyCount"]
    assert not bucket.has_unfinished_uploads()


@pytest.mark.parametrize("in_parts", [False, True], ids=["in one call", "in parts"])
def test_what_is_appended_meanwhile_is_not_half_stored(
    bucket: Bucket, large: Path, monkeypatch: pytest.MonkeyPatch, in_parts: bool
) -> None:
    if in_parts:
        monkeypatch.setattr(objects, "PUT_BYTES", 1)

    def append() -> None:
        with large.open("ab") as file:
            file.write(b"more")

    change_between(monkeypatch, append)
    stored = bucket.upload(large)
    assert len(bucket.get()) == stored.size
    assert stored.checksum == f"sha256:{hashlib.sha256(bucket.get()).hexdigest()}"


@pytest.mark.parametrize("direction", ["down", "up"])
def test_a_transfer_whose_s3_hangs_ends_soon_when_it_is_wanted_no_more(
    bucket: Bucket, proxy: Proxy, large: Path, monkeypatch: pytest.MonkeyPatch, direction: str
) -> None:
    monkeypatch.setattr(aside, "_END_SECONDS", 0.1)
    bucket.put(BODY)
    goes_on = threading.Event()
    proxy.before = lambda _call: None if goes_on.wait() else REFUSED
    moving: Any = (
        bucket.objects.download(bucket.name, "key", to=large, size=len(BODY))
        if direction == "down"
        else bucket.objects.upload(large, bucket=bucket.name, key="up")
    )

    async def story() -> None:
        under_way = asyncio.create_task(moving)
        await asyncio.to_thread(until, lambda: proxy.seen, seconds=30, what="a call")
        under_way.cancel()
        await asyncio.wait({under_way}, timeout=30)  # S3's answer would be waited for for a minute
        assert under_way.cancelled()

    try:
        asyncio.run(story())
    finally:
        goes_on.set()


def change_between(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Once the file was read for its checksum, and before it is sent."""
    for module in ("streaming", "multipart"):
        whole = f"aws_parallelizer.aws.{module}.Section"
        monkeypatch.setattr(whole, _changing(change))


def _changing(change: Callable[[], object]) -> Any:
    class Changing(Section):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            change()
            super().__init__(*arguments, **more)

    return Changing


def overwrite(path: Path, byte: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(byte)
