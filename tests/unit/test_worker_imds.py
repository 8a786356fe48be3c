"""The metadata service, slow, forgetful and broken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from aws_parallelizer.aws import imds
from aws_parallelizer.aws.imds import Imds, ImdsSilent, Notice
from aws_parallelizer.worker.stopping import seconds_to_work
from fakes.metadata import Metadata

ACTION = b'{"action": "terminate", "time": "2026-11-22T10:00:00Z"}'


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    server = Metadata({"meta-data/instance-id": b"i-1", "meta-data/placement/region": b"eu-west-1"})
    yield server
    server.close()


def test_defect_15_it_is_asked_with_a_token(metadata: Metadata) -> None:
    imds = Imds(metadata.url)
    assert (imds.instance_id(), imds.region(), imds.user_data()) == ("i-1", "eu-west-1", b"")
    assert len(metadata.tokens) == 1


def test_an_expired_token_is_replaced(metadata: Metadata) -> None:
    metadata.uses = 1
    imds = Imds(metadata.url)
    assert [imds.instance_id() for _ in range(3)] == ["i-1"] * 3
    assert len(metadata.tokens) == 3


def test_errors_are_tried_again(metadata: Metadata) -> None:
    metadata.silent = 3
    assert Imds(metadata.url).instance_id() == "i-1"


def test_silence_is_never_taken_for_no_notice(metadata: Metadata) -> None:
    metadata.silent = 1_000
    with pytest.raises(ImdsSilent, match="503"):
        Imds(metadata.url, patience=0.3).notice()


def test_an_endpoint_that_is_not_there_is_silence(metadata: Metadata) -> None:
    metadata.server_close()
    with pytest.raises(ImdsSilent):
        Imds(metadata.url, patience=0.3).instance_id()


def test_a_notice_is_read_when_there_is_one(metadata: Metadata) -> None:
    imds = Imds(metadata.url, patience=0.3)
    assert imds.notice() is None
    metadata.values["meta-data/spot/instance-action"] = ACTION
    assert imds.notice() == Notice("terminate", datetime(2026, 11, 22, 10, tzinfo=UTC))
    metadata.values["meta-data/spot/instance-action"] = b"garbage"
    with pytest.raises(ImdsSilent, match="cannot be read"):
        imds.notice()


def test_advice_to_leave_is_believed_when_it_can_be_read(metadata: Metadata) -> None:
    imds = Imds(metadata.url, patience=0.3)
    assert not imds.is_advised_to_leave()
    metadata.values["meta-data/events/recommendations/rebalance"] = (
        b'{"noticeTime": "2026-11-22T10:00:00Z"}'
    )
    assert imds.is_advised_to_leave()
    for garbage in (b"", b"<html>log in</html>", b"{}", b'{"noticeTime": "soon"}', b"\xff"):
        metadata.values["meta-data/events/recommendations/rebalance"] = garbage
        with pytest.raises(ImdsSilent, match="cannot be read"):
            imds.is_advised_to_leave()


@pytest.mark.parametrize(
    "garbage",
    [b"", b"[]", b"<html></html>", b'{"action": "stop"}', b'{"action": "stop", "time": 1e300}'],
)
def test_a_notice_that_cannot_be_read_is_no_answer(metadata: Metadata, garbage: bytes) -> None:
    metadata.values["meta-data/spot/instance-action"] = garbage
    with pytest.raises(ImdsSilent, match="spot notice cannot be read"):
        Imds(metadata.url, patience=0.3).notice()


@pytest.mark.parametrize(
    ("left", "to_work"),
    [(3720, 90), (120, 90), (60, 30), (59, 29.5), (10, 5), (0, 0), (-5, 0)],  # by this clock
)
def test_what_a_notice_leaves_for_work(left: float, to_work: float) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert seconds_to_work(Notice("stop", now + timedelta(seconds=left)), now=now) == to_work


@pytest.mark.parametrize("garbage", [b"", b"<html>log in</html>", b"\xff\xfe", b"i-1\ni-2"])
def test_what_is_no_instance_id_is_no_answer(metadata: Metadata, garbage: bytes) -> None:
    metadata.values["meta-data/instance-id"] = garbage
    with pytest.raises(ImdsSilent, match="instance-id"):
        Imds(metadata.url, patience=0.3).instance_id()


def test_what_is_no_region_is_no_answer(metadata: Metadata) -> None:
    metadata.values["meta-data/placement/region"] = b"Moon Base 1"
    with pytest.raises(ImdsSilent, match="Moon Base 1"):
        Imds(metadata.url, patience=0.3).region()


@pytest.mark.parametrize("token", [b"a\r\nb: c", b"\xff\xfe"])
def test_a_token_that_no_header_can_hold_is_asked_for_again(
    metadata: Metadata, token: bytes
) -> None:
    metadata.forged = [token]
    assert Imds(metadata.url).instance_id() == "i-1"


def test_an_answer_without_end_is_no_answer(metadata: Metadata) -> None:
    metadata.values["user-data"] = bytes(10_000_000)
    with pytest.raises(ImdsSilent, match="more than 65536 bytes"):
        Imds(metadata.url, patience=0.3).user_data()


def test_an_answer_that_comes_byte_by_byte_is_waited_for_as_long_as_any_other(
    metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imds, "CALL_SECONDS", 0.3)
    metadata.values["user-data"] = bytes(1000)
    metadata.trickle = 0.1
    with pytest.raises(ImdsSilent, match=r"takes more than 0\.3 s"):
        Imds(metadata.url, patience=0.1).user_data()


def test_a_notice_without_a_time_zone_is_in_utc(metadata: Metadata) -> None:
    said = b'{"action": "stop", "time": "2026-11-22T10:00:00"}'
    metadata.values["meta-data/spot/instance-action"] = said
    expected = Notice("stop", datetime(2026, 11, 22, 10, tzinfo=UTC))
    assert Imds(metadata.url).notice() == expected
