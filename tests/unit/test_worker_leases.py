"""Leases are renewed whatever befalls a renewal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import pytest
from botocore.exceptions import EndpointConnectionError

from aws_parallelizer.worker.leases import Leases
from aws_parallelizer.worker.offload import Offload
from pipelines import until_true


class Renewed:
    """`aws.sqs.Queue.extend`; `errors` are raised by the next calls."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.renewed: list[str] = []

    def extend(self, spans: Mapping[str, int]) -> Mapping[str, bool]:
        if self.errors:
            raise self.errors.pop(0)
        self.renewed += spans
        return dict.fromkeys(spans, True)


@pytest.mark.parametrize(
    "error", [EndpointConnectionError(endpoint_url="x"), KeyError("Successful"), MemoryError()]
)
def test_no_error_whatsoever_ends_the_renewing(error: Exception) -> None:
    queue = Renewed(error, error)

    async def story() -> None:
        leases = Leases(queue, offload=Offload(1), seconds=1)  # type: ignore[arg-type]
        leases.hold("handle", taken=time.monotonic())
        keeping = asyncio.create_task(leases.keep())
        await until_true(lambda: queue.renewed or keeping.done())
        keeping.cancel()

    asyncio.run(story())
    assert set(queue.renewed) == {"handle"}
