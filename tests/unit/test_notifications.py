"""A stack's entry among those of others in a bucket's notifications."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.notifications import merged, missing, obstacles, own_entry, without

OURS = own_entry("s", queue_arn="arn:aws:sqs:us-east-1:0:s-UploadsQueue-1")
FOREIGN: dict[str, Any] = {
    "QueueConfigurations": [
        {"Id": "a", "QueueArn": "arn:aws:sqs:us-east-1:0:a", "Events": ["s3:ObjectRemoved:*"]}
    ],
    "TopicConfigurations": [
        {"Id": "b", "TopicArn": "arn:aws:sns:us-east-1:0:b", "Events": ["s3:ObjectRestore:*"]}
    ],
    "LambdaFunctionConfigurations": [
        {
            "Id": "c",
            "LambdaFunctionArn": "arn:aws:lambda:us-east-1:0:function:c",
            "Events": ["s3:ObjectTagging:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "x/"}]}},
        }
    ],
    "EventBridgeConfiguration": {},
}


def entry(*events: str, prefix: str = "", suffix: str = "", **more: str) -> dict[str, Any]:
    rules = [{"Name": n, "Value": v} for n, v in (("Prefix", prefix), ("Suffix", suffix)) if v]
    limits = {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}
    return {"Id": "other", "QueueArn": "arn:other", "Events": list(events), **limits, **more}


def test_the_entries_of_others_survive_ours_coming_and_going() -> None:
    with_ours = merged(FOREIGN, OURS)
    assert {**with_ours, "QueueConfigurations": with_ours["QueueConfigurations"][:1]} == FOREIGN
    assert with_ours["QueueConfigurations"][1] == OURS
    assert without(with_ours, id_="s-uploads") == FOREIGN


def test_ours_is_there_once_and_may_be_replaced() -> None:
    older = own_entry("s", queue_arn="arn:old")
    again = merged(merged(FOREIGN, older), OURS)
    assert again == merged(FOREIGN, OURS)
    assert obstacles(merged(FOREIGN, older), OURS) == []


def test_where_ours_was_alone_nothing_is_left() -> None:
    assert without(merged({}, OURS), id_="s-uploads") == {}
    assert without(FOREIGN, id_="s-uploads") == FOREIGN


def test_what_is_told_to_our_queue_goes_whatever_its_id() -> None:
    made_by_cloudformation = {"QueueConfigurations": [{**OURS, "Id": "NzNhZjJ"}]}
    assert without(made_by_cloudformation, id_="s-uploads", queue_arn=OURS["QueueArn"]) == {}
    assert without(made_by_cloudformation, id_="s-uploads") == made_by_cloudformation


def test_another_stack_of_a_like_name_is_another() -> None:
    other = merged({}, own_entry("s-2", queue_arn="arn:2"))
    assert without(other, id_="s-uploads") == other


# Rows as S3's documentation has them; both directions are tried.
@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (entry("s3:ObjectCreated:*"), entry("s3:ObjectCreated:*"), True),
        (entry("s3:ObjectCreated:*"), entry("s3:ObjectCreated:Put"), True),
        (entry("s3:ObjectCreated:Post"), entry("s3:ObjectCreated:Put"), False),
        (entry("s3:ObjectCreated:*"), entry("s3:ObjectRemoved:*"), False),
        (entry("s3:ObjectCreated:*"), entry("s3:ObjectCreated:*", prefix="images"), True),
        (entry("s3:ObjectCreated:*"), entry("s3:ObjectCreated:*", suffix=".jpg"), True),
        (entry("s3:A:*", prefix="images/"), entry("s3:A:*", prefix="logs/"), False),
        (entry("s3:A:*", prefix="images/"), entry("s3:A:*", prefix="images/old/"), True),
        (entry("s3:A:*", suffix=".jpg"), entry("s3:A:*", suffix=".png"), False),
        (entry("s3:A:*", suffix="jpg"), entry("s3:A:Put", suffix="pg"), True),
        (
            entry("s3:A:*", prefix="images", suffix=".jpg"),
            entry("s3:A:*", prefix="images", suffix=".png"),
            False,
        ),
        (entry("s3:A:*", prefix="images", suffix="jpg"), entry("s3:A:Put", suffix="jpg"), True),
        (entry("s3:A:*", prefix="images"), entry("s3:A:*", suffix="jpg"), True),
    ],
)
def test_entries_overlap_as_s3_says(
    one: dict[str, Any], other: dict[str, Any], overlap: bool
) -> None:
    for first, second in ((one, other), (other, one)):
        found = obstacles({"QueueConfigurations": [first]}, {**second, "Id": "ours"})
        assert bool(found) is overlap


@pytest.mark.parametrize(
    ("kind", "destination"),
    [
        ("QueueConfigurations", "QueueArn"),
        ("TopicConfigurations", "TopicArn"),
        ("LambdaFunctionConfigurations", "LambdaFunctionArn"),
    ],
)
def test_an_overlap_is_named_with_its_destination_whatever_that_is(
    kind: str, destination: str
) -> None:
    theirs = {**entry("s3:ObjectCreated:Put", prefix="in/"), destination: "arn:them"}
    [found] = obstacles({kind: [theirs]}, OURS)
    assert found == "entry other (arn:them prefix 'in/') is told of s3:ObjectCreated:Put too"


def test_our_id_at_another_kind_of_destination_is_somebody_elses() -> None:
    topic = {"Id": "s-uploads", "TopicArn": "arn:t", "Events": ["s3:ObjectRemoved:*"]}
    assert obstacles({"TopicConfigurations": [topic]}, OURS) == [
        "entry s-uploads (arn:t) bears our id"
    ]


def test_events_of_the_bucket_to_eventbridge_are_in_nobodys_way() -> None:
    assert obstacles(FOREIGN, OURS) == []


def test_what_another_writer_took_out_is_seen() -> None:
    wanted = merged(FOREIGN, OURS)
    assert missing(wanted, wanted) == []
    assert missing(wanted, FOREIGN) == ["s-uploads"]
    assert missing(wanted, {"QueueConfigurations": [OURS]}) == ["a", "b", "c"]
