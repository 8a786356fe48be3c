"""How long a task takes, measured on the tasks that were done last."""

from __future__ import annotations

from datetime import datetime

from aws_parallelizer.core import keys
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.outcome import State
from chalicelib.context import Context

_SAMPLE = 20  # tasks a look: one query, one batch of rows
_ENOUGH = 5


def measured(context: Context, job: Job, *, known: float | None, now: datetime) -> float | None:
    """Seconds a task: half of what is `known` and half of the newest rows of one of the ledger's
    shards, another one each minute. None while too few are done.
    """
    shard = int(now.timestamp() // 60) % keys.SHARDS
    rows = context.ledger.newest(job.name, State.DONE, shard=shard, limit=_SAMPLE)
    seconds = [row.seconds for row in rows if row.seconds is not None]
    if len(seconds) < _ENOUGH:
        return known
    mean = sum(seconds) / len(seconds)
    return mean if known is None else (known + mean) / 2
