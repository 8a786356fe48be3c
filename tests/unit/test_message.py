"""Message bodies and user data."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_parallelizer.core import message, user_data
from aws_parallelizer.core.errors import MessageError, ParameterError
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.core.user_data import UserData

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(TEXT, TEXT, st.integers(0, 2**50))
def test_a_message_reads_back_the_same_and_holds_no_character_that_sqs_refuses(
    key: str, bucket: str, size: int
) -> None:
    sent = Message(job="j", bucket=bucket, key=key, etag="e", size=size)
    body = message.encode(sent)
    assert message.decode(body) == sent
    assert not [c for c in body if ord(c) < 0x20 or c in "\ufffe\uffff"]
    assert json.loads(body)["v"] == 1


def test_ten_of_the_largest_messages_fit_into_one_batch() -> None:
    # SQS takes 1 MiB a batch, and took 256 KiB until 2025.
    for letter in ("\x01", "é", "\U0001f600", "\uffff", '"'):
        key = letter * (1024 // len(letter.encode()))
        sent = Message(job="j" * 40, bucket="b" * 63, key=key, etag="e" * 40, size=2**50)
        assert 10 * len(message.encode(sent).encode()) < 256 * 1024


@pytest.mark.parametrize(
    "body", ["dir/a b.txt", "123", '"quoted"', "it's; rm -rf $(x)", "{not json"]
)
def test_a_body_that_is_not_an_object_is_a_bare_key_as_the_java_program_sent_it(body: str) -> None:
    assert message.decode(body) == Message(key=body)


@pytest.mark.parametrize("body", ["", "{}", '{"key": 3}', '{"key": ""}', '{"v": 2, "key": "x"}'])
def test_an_object_that_is_not_a_task_is_refused(body: str) -> None:
    with pytest.raises(MessageError):
        message.decode(body)


@pytest.mark.parametrize(
    "body", ["x" * 1025, "ü" * 513, message.encode(Message(key="x" * 1025)), " " * 256 * 1024]
)
def test_what_is_longer_than_any_key_is_no_task(body: str) -> None:
    with pytest.raises(MessageError, match="no object has a key as long as"):
        message.decode(body)
    assert message.decode("ü" * 512).key == "ü" * 512


def test_a_message_of_another_job_is_refused_where_the_job_is_known() -> None:
    sent = Message(key="a", job="other")
    assert message.decode(message.encode(sent)) == sent
    assert message.decode("a", job="job") == Message(key="a")
    with pytest.raises(MessageError, match="not a task of job job: it is of job 'other'"):
        message.decode(message.encode(sent), job="job")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_body_makes_anything_but_a_message_or_a_message_error(body: str) -> None:
    try:
        assert message.decode(body).key
    except MessageError as error:
        assert str(error)


SETTLED = Parameters(
    environment_zip="e.zip",
    analysis_program="run.sh",
    input_bucket="in-1",
    output_bucket="out-1",
    environment_bucket="env-1",
    queue_url="http://127.0.0.1/q",
)


def test_user_data_reads_back_the_same() -> None:
    told = UserData(SETTLED, job="photos", ledger_table="ledger", stack="lab")
    assert user_data.decode(user_data.encode(told).encode()) == told


def test_user_data_of_the_java_program_has_no_ledger_and_no_job() -> None:
    text = (
        user_data.encode(UserData(parameters=SETTLED))
        .replace("job=\nledgerTable=\nstack=\n", "")
        .replace("\n", "\r\n")
    )
    assert "stack" not in text
    assert user_data.decode(text.encode()) == UserData(parameters=SETTLED)


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfe\x00", b"job=x\n", b"analysisProgram=run.sh\n", b"x" * 16384]
)
def test_user_data_that_says_too_little_is_refused_with_all_that_is_missing(raw: bytes) -> None:
    with pytest.raises(ParameterError):
        user_data.decode(raw)


@pytest.mark.parametrize(
    ("raw", "whose"),
    [
        (b"job=photos\r\nledgerTable=l\r\nstack=s\r\nnumThreads=many\r\n", ("photos", "l", "s")),
        (b"\xff\xfe\njob=photos\n", ("photos", "", "")),
        (b"job=../photos\nledgerTable=ledger\n", ("", "ledger", "")),
        (b"", ("", "", "")),
    ],
)
def test_whose_user_data_it_is_can_be_told_though_the_rest_is_wrong(
    raw: bytes, whose: tuple[str, str, str]
) -> None:
    assert user_data.whose(raw) == whose


def test_parameters_that_do_not_fit_into_user_data_are_refused() -> None:
    long = Parameters(
        environment_zip="e", analysis_program="r", filter="key == '" + "x" * 17000 + "'"
    )
    with pytest.raises(ParameterError, match=r"16,384"):
        user_data.encode(UserData(parameters=long))
