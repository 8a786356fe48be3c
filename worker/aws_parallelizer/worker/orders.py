"""What the control plane orders of a worker, read from its job's row as often as it beats.

A worker asks for no task that the job's row does not let it take. Whether it waits for better
times or ends at once depends on why.
"""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.core.errors import NotFound
from aws_parallelizer.core.job import Job
from aws_parallelizer.worker.offload import Offload
from aws_parallelizer.worker.stopping import Stop

log = logging.getLogger(__name__)


class Order(NamedTuple):
    """`why` no task may be taken, empty = tasks may be; `end` = do not wait for that to change."""

    why: str = ""
    end: bool = False


def of(job: Job | None) -> Order:
    """The order that a job's row is; None = there is none."""
    if job is None:
        return Order("the job is deleted", end=True)
    if job.deleting:
        return Order("the job is being deleted", end=True)
    if job.stopped:
        return Order("the job is stopped", end=True)
    if job.hold:
        return Order(f"no task may be taken: {job.hold}", end=True)
    return Order("the job is paused") if job.paused else Order()


def obey(order: Order, stop: Stop) -> None:
    """Carry it out; what has been carried out already is left alone."""
    if not order.why:
        stop.resume()
        return
    stop.hold(order.why)
    if order.end:
        stop.drain(order.why)


async def follow(
    registry: Registry, job: str, stop: Stop, *, offload: Offload, every: float
) -> None:
    """Read and obey, for ever. An order that cannot be read changes nothing."""
    while True:
        try:
            obey(of(await offload(_row, registry, job)), stop)
        except SERVICE_ERRORS as error:
            log.warning("the row of job %s could not be read, the work goes on: %s", job, error)
        except Exception:
            log.exception("the row of job %s could not be read, and nobody foresaw why", job)
        await asyncio.sleep(every)


def _row(registry: Registry, job: str) -> Job | None:
    try:
        return registry.job(job)
    except NotFound:
        return None  # which is an order, too
