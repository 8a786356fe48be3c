"""A work queue: batches in, batches out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from aws_parallelizer.core.errors import Conflict, NotFound

log = logging.getLogger(__name__)

_GONE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

FREQUENT = ("receive_message", "delete_message_batch", "change_message_visibility_batch")
BATCH = 10  # SQS takes ten entries a call
MAX_VISIBILITY_SECONDS = 43200  # counted from the receive, not from the last renewal


class Received(NamedTuple):
    """One message in our hands until its lease runs out. `receives` counts this one too."""

    body: str
    handle: str
    message_id: str
    receives: int


class Counts(NamedTuple):
    """SQS's approximate numbers of messages."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """All messages, whatever their state."""
        return self.visible + self.in_flight + self.delayed


class Queue:
    """One SQS queue. Every method raises botocore's ClientError or BotoCoreError."""

    def __init__(self, client: Any, *, url: str) -> None:
        self._client = client
        self.url = url

    def receive(
        self, limit: int, *, wait_seconds: int, lease_seconds: int | None = None
    ) -> list[Received]:
        """Up to `limit` (at most 10) messages, after a long poll; leased for the queue's span or
        `lease_seconds`.
        """
        lease = {} if lease_seconds is None else {"VisibilityTimeout": lease_seconds}
        answer = self._client.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=min(limit, BATCH),
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
            **lease,
        )
        return [
            Received(
                body=message["Body"],
                handle=message["ReceiptHandle"],
                message_id=message["MessageId"],
                receives=int(message["Attributes"]["ApproximateReceiveCount"]),
            )
            for message in answer.get("Messages", [])
        ]

    def send(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> list[bool]:
        """Send each body, to be seen after the delay; for each, whether the queue has it."""
        delay = {"DelaySeconds": delay_seconds} if delay_seconds else {}
        return self._batched(
            self._client.send_message_batch, [{"MessageBody": body, **delay} for body in bodies]
        )

    def delete(self, handles: Sequence[str]) -> list[bool]:
        """Delete by receipt handle; for each, whether it is gone. A handle that is stale is gone
        for its bearer.
        """
        return self._batched(
            self._client.delete_message_batch,
            [{"ReceiptHandle": handle} for handle in handles],
            settled=("ReceiptHandleIsInvalid", "InvalidParameterValue"),
        )

    def extend(self, leases: Mapping[str, int]) -> dict[str, bool]:
        """Set how many seconds from now each handle's message stays invisible; for each, whether
        the lease holds.
        """
        entries = [
            {"ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for handle, seconds in leases.items()
        ]
        return dict(
            zip(
                leases,
                self._batched(self._client.change_message_visibility_batch, entries),
                strict=True,
            )
        )

    def counts(self) -> Counts:
        """How many messages there are; approximate, as SQS says."""
        attributes = self._client.get_queue_attributes(
            QueueUrl=self.url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ],
        )["Attributes"]
        return Counts(
            visible=int(attributes["ApproximateNumberOfMessages"]),
            in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
        )

    def _batched(
        self,
        call: Callable[..., dict[str, Any]],
        entries: Sequence[dict[str, Any]],
        *,
        settled: Sequence[str] = (),
    ) -> list[bool]:
        taken = [False] * len(entries)
        for start in range(0, len(entries), BATCH):
            chunk = entries[start : start + BATCH]
            numbered = [{"Id": str(start + i), **entry} for i, entry in enumerate(chunk)]
            answer = call(QueueUrl=self.url, Entries=numbered)
            for number in _accepted(answer, settled):
                taken[number] = True
        return taken


def is_gone(error: Exception) -> bool:
    """Whether the queue itself is gone, so that to ask again is of no use."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in _GONE


def _accepted(answer: Mapping[str, Any], settled: Sequence[str]) -> Iterator[int]:
    for entry in answer.get("Successful", []):
        yield int(entry["Id"])
    for entry in answer.get("Failed", []):
        if entry["Code"] in settled:
            yield int(entry["Id"])
        else:
            log.warning(
                "SQS refused entry %s: %s %s", entry["Id"], entry["Code"], entry.get("Message")
            )


class QueueRecentlyDeleted(Conflict):
    """SQS makes a queue of a name again only 60 seconds after one was deleted."""


class Queues:
    """Makes, finds and removes queues. Every method raises what `Queue` raises."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def at(self, url: str) -> Queue:
        """The queue of an URL, without asking whether it is there."""
        return Queue(self._client, url=url)

    def make(self, name: str, attributes: Mapping[str, str]) -> str:
        """The URL of the queue of that name, with the attributes; raises QueueRecentlyDeleted."""
        try:
            return str(self._client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
        except self._client.exceptions.QueueNameExists:
            url = str(self._client.get_queue_url(QueueName=name)["QueueUrl"])
            self._client.set_queue_attributes(QueueUrl=url, Attributes=attributes)
            return url
        except self._client.exceptions.QueueDeletedRecently as error:
            raise QueueRecentlyDeleted(
                f"queue {name} was deleted less than 60 seconds ago: try again in a minute"
            ) from error

    def beginning_with(self, prefix: str) -> list[str]:
        """The URLs of the queues whose names begin so."""
        pages = self._client.get_paginator("list_queues").paginate(QueueNamePrefix=prefix)
        return [url for page in pages for url in page.get("QueueUrls", [])]

    def arn(self, url: str) -> str:
        """The queue's ARN; raises NotFound where there is no such queue."""
        try:
            answer = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        except self._client.exceptions.QueueDoesNotExist as error:
            raise NotFound(f"there is no queue {url}") from error
        return str(answer["Attributes"]["QueueArn"])

    def remove(self, url: str) -> None:
        """Delete the queue with all its messages; harmless where it is gone."""
        try:
            self._client.delete_queue(QueueUrl=url)
        except self._client.exceptions.QueueDoesNotExist:
            log.info("queue %s was gone already", url)
