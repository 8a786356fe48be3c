"""Failed tasks put back in the queue, and watched until all are."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console

from aws_parallelizer.cli.connection import Connection

EVERY_SECONDS = 1.0
MOST_KEYS = 1000  # of one call, and their bytes: the API's limits
MOST_BYTES = 256_000


class Told(NamedTuple):
    """What became of what was asked for; `overtaken` = another retry began, and hides the rest."""

    retried: int = 0
    passed_over: int = 0
    unknown: int = 0
    overtaken: bool = False

    @property
    def sentence(self) -> str:
        """For a person."""
        facts = [f"{self.retried} back in the queue"]
        if self.passed_over:
            facts.append(f"{self.passed_over} passed over (not failed, or not as asked for)")
        if self.unknown:
            facts.append(f"{self.unknown} unknown to the job")
        if self.overtaken:
            facts.append("another retry has begun, and this one goes on beside it")
        return f"Tasks: {', '.join(facts)}."

    def plus(self, other: Told) -> Told:
        """Both together."""
        return Told(
            self.retried + other.retried,
            self.passed_over + other.passed_over,
            self.unknown + other.unknown,
            self.overtaken or other.overtaken,
        )


def retry(
    connection: Connection,
    job: str,
    *,
    wanted: Mapping[str, str],
    keys: Sequence[str],
    console: Console,
) -> Told:
    """Have tasks retried, all failed ones or `keys`, narrowed to what is `wanted`; waits until all
    are back in the queue. Raises ApiError.
    """
    told = Told()
    with console.status(f"retrying tasks of {job}") as line:
        for some in _batches(keys) if keys else [None]:
            body = {**wanted, "keys": some} if some else wanted
            run = connection.api.post(f"/jobs/{job}/retry", body)["retry"]
            while True:
                found = connection.job(job)["status"]["retry"] or {}
                present = told.plus(_told(found, run))
                line.update(f"retrying tasks of {job}: {present.retried} back in the queue")
                if found.get("id") != run or not found["underWay"]:
                    break
                time.sleep(EVERY_SECONDS)
            told = present
    return told


def _told(found: Mapping[str, Any], run: str) -> Told:
    if found.get("id") != run:
        return Told(overtaken=True)
    return Told(found["retried"], found["passedOver"], found["unknown"])


def _batches(keys: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for key in keys:
        length = len(key.encode())
        if batch and (len(batch) == MOST_KEYS or size + length > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(key)
        size += length
    yield batch
