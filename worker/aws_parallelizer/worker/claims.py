"""What is to become of received messages: looked up in the ledger, claimed in one write."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.aws.sqs import Received
from aws_parallelizer.core import attempts
from aws_parallelizer.core import message as messages
from aws_parallelizer.core.attempts import Drop
from aws_parallelizer.core.errors import MessageError
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.task import Task

log = logging.getLogger(__name__)

_ROUNDS = 3  # a row that changes so often meanwhile is left to the next receive


class Bearer(NamedTuple):
    """On whose behalf tasks are claimed."""

    job: str
    bucket: str
    instance: str
    environment: str


class Claimed(NamedTuple):
    """`starts` are in the ledger as running; `drops` need no work any more; `unclear` is for
    another time.
    """

    starts: list[tuple[Received, Task]]
    drops: list[Received]
    unclear: list[Received]


class Claims:
    """Blocking; raises what the ledger raises."""

    def __init__(self, ledger: Ledger | None, bearer: Bearer) -> None:
        self._ledger = ledger
        self._bearer = bearer

    def claim(self, received: Sequence[Received]) -> Claimed:
        """Decide on each message, and write what is to start."""
        claimed = Claimed([], [], [])
        left = [pair for each in received if (pair := self._read(each, claimed.unclear))]
        for _ in range(_ROUNDS):
            if not left:
                return claimed
            left = self._round(left, claimed)
        claimed.unclear.extend(each for each, _ in left)
        return claimed

    def _read(self, received: Received, unclear: list[Received]) -> tuple[Received, Message] | None:
        try:
            message = messages.decode(received.body, job=self._bearer.job)
        except MessageError as error:
            # It is left in the queue, whose dead-letter queue takes it in the end.
            log.warning("message %s is left alone: %s", received.message_id, error)
            unclear.append(received)
            return None
        return received, msgspec.structs.replace(
            message, job=self._bearer.job, bucket=message.bucket or self._bearer.bucket
        )

    def _round(
        self, pairs: Sequence[tuple[Received, Message]], claimed: Claimed
    ) -> list[tuple[Received, Message]]:
        rows = self._rows([message.key for _, message in pairs])
        starting: dict[str, tuple[Received, Message, Task]] = {}
        again = []
        for received, message in pairs:
            if message.key in starting:
                again.append((received, message))  # a second message of one task: decided after it
                continue
            decision = attempts.claim(
                rows.get(message.key),
                message,
                message_id=received.message_id,
                instance=self._bearer.instance,
                environment=self._bearer.environment,
                now=datetime.now(UTC),
            )
            if isinstance(decision, Drop):
                fields = {"key": message.key}
                log.info("a message is dropped: %s", decision.why, extra={"fields": fields})
                claimed.drops.append(received)
            else:
                starting[message.key] = received, message, decision.task
        return again + self._write(list(starting.values()), claimed)

    def _write(
        self, starting: Sequence[tuple[Received, Message, Task]], claimed: Claimed
    ) -> list[tuple[Received, Message]]:
        if self._ledger is None:
            # As the Java program: how often the queue gave it out is all that is known of earlier
            # attempts.
            claimed.starts.extend(
                (received, msgspec.structs.replace(row, attempts=received.receives - 1))
                for received, _, row in starting
            )
            return []
        stored = self._ledger.write([row for _, _, row in starting])
        refused = []
        for (received, message, _), row in zip(starting, stored, strict=True):
            if row is None:
                refused.append((received, message))
            else:
                claimed.starts.append((received, row))
        return refused

    def _rows(self, keys: Sequence[str]) -> dict[str, Task]:
        return {} if self._ledger is None else self._ledger.get_many(self._bearer.job, keys)
