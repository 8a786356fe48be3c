"""A bucket's notifications, of which one entry is a stack's and all others are somebody else's:
pure.

S3 refuses two entries that could both be told of one event: the same event type, prefixes of which
one begins with the other, and suffixes of which one ends with the other
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Configuration = Mapping[str, Any]  # as S3 gives and takes it
Entry = Mapping[str, Any]

EVENT = "s3:ObjectCreated:*"
QUEUES = "QueueConfigurations"
_DESTINATIONS = {
    QUEUES: "QueueArn",
    "TopicConfigurations": "TopicArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}


def entry_id(stack: str) -> str:
    """The id by which a stack knows its own entry."""
    return f"{stack}-uploads"


def own_entry(stack: str, *, queue_arn: str) -> Entry:
    """All new objects of the bucket, told to the stack's queue."""
    return {"Id": entry_id(stack), "QueueArn": queue_arn, "Events": [EVENT]}


def merged(configuration: Configuration, entry: Entry) -> Configuration:
    """The configuration with the entry, in the place of the one of its id if there is one."""
    queues = configuration.get(QUEUES, [])
    if any(each.get("Id") == entry["Id"] for each in queues):
        changed = [entry if each.get("Id") == entry["Id"] else each for each in queues]
    else:
        changed = [*queues, entry]
    return {**configuration, QUEUES: changed}


def without(configuration: Configuration, *, id_: str, queue_arn: str = "") -> Configuration:
    """The configuration without the entry of the id, and without what is told to the queue."""
    kept = [
        each
        for each in configuration.get(QUEUES, [])
        if each.get("Id") != id_ and not (queue_arn and each.get("QueueArn") == queue_arn)
    ]
    others = {name: value for name, value in configuration.items() if name != QUEUES}
    return {**others, QUEUES: kept} if kept else others


def missing(wanted: Configuration, found: Configuration) -> list[str]:
    """The ids of entries that are wanted and not found as they are wanted."""
    return [
        str(each.get("Id"))
        for kind in _DESTINATIONS
        for each in wanted.get(kind, [])
        if each not in found.get(kind, [])
    ]


def obstacles(configuration: Configuration, entry: Entry) -> list[str]:
    """Why S3 would refuse the entry beside those of others, a phrase for each of them."""
    found = []
    for kind, destination in _DESTINATIONS.items():
        for each in configuration.get(kind, []):
            if each.get("Id") == entry["Id"]:
                if kind == QUEUES:
                    continue  # an earlier one of our own, which is replaced
                found.append(f"{_name(each, destination)} bears our id")
            elif (shared := _shared_events(each, entry)) and _filters_overlap(each, entry):
                found.append(f"{_name(each, destination)} is told of {', '.join(shared)} too")
    return found


def _name(entry: Entry, destination: str) -> str:
    prefix, suffix = _filter(entry)
    limits = [
        f" {word} {text!r}" for word, text in (("prefix", prefix), ("suffix", suffix)) if text
    ]
    return f"entry {entry.get('Id')} ({entry.get(destination)}{''.join(limits)})"


def _shared_events(one: Entry, other: Entry) -> list[str]:
    return sorted({a for a in one.get("Events", []) for b in other["Events"] if _same(a, b)})


def _same(one: str, other: str) -> bool:
    """Whether an event may be of both types; `*` stands for all of a kind."""
    return one == other or any(
        wide.endswith("*") and narrow.startswith(wide[:-1])
        for wide, narrow in ((one, other), (other, one))
    )


def _filters_overlap(one: Entry, other: Entry) -> bool:
    (prefix, suffix), (other_prefix, other_suffix) = _filter(one), _filter(other)
    begin = prefix.startswith(other_prefix) or other_prefix.startswith(prefix)
    end = suffix.endswith(other_suffix) or other_suffix.endswith(suffix)
    return begin and end


def _filter(entry: Entry) -> tuple[str, str]:
    """Prefix and suffix, each empty where the entry has none."""
    rules = dict(_rules(entry))
    return rules.get("prefix", ""), rules.get("suffix", "")


def _rules(entry: Entry) -> Iterator[tuple[str, str]]:
    for rule in entry.get("Filter", {}).get("Key", {}).get("FilterRules", []):
        yield str(rule["Name"]).lower(), str(rule.get("Value", ""))  # S3 answers with Prefix, too
