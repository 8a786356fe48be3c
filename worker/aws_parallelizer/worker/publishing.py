"""Storing what an attempt made: outputs that never overwrite another input's, and its log beside
them.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.aws.object_errors import ObjectFailure, ObjectMissing, ObjectTaken
from aws_parallelizer.aws.objects import Made, Objects, Stored
from aws_parallelizer.core import keys
from aws_parallelizer.core.errors import BadOutput, ParallelizerError
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.core.task import Output, Task
from aws_parallelizer.worker.offload import Offload
from aws_parallelizer.worker.outputs import OutputFile
from aws_parallelizer.worker.patience import Patience, jittered

MAX_KEY_BYTES = 1024
_MAKER_BYTES = 1800  # of S3's 2,048 for all metadata
_AT_ONCE = 8  # uploads of one task
_TRIES = 5  # to store an output whose key changes hands meanwhile
_PAUSE_SECONDS = 0.5


class Collision(ParallelizerError):
    """Another input already made an output of this key; the earlier one stays."""


class LeaseLost(ParallelizerError):
    """The task is in other hands."""


class Holds:
    """Whether the ledger has a task as it was claimed. Without a ledger nobody can tell, and it is
    taken for so. Raises what the ledger raises.
    """

    def __init__(self, ledger: Ledger | None, *, offload: Offload, patience: Patience) -> None:
        self._ledger = ledger
        self._offload = offload
        self._patience = patience

    async def __call__(self, task: Task) -> bool:
        if self._ledger is None:
            return True
        call = functools.partial(self._offload, self._ledger.get_many, task.job, [task.key])
        rows = await self._patience(call, what=f"reading the row of {task.key!r:.200}")
        return task.key in rows and rows[task.key].version == task.version


class Publishing:
    """Uploads for one job. What `holds` a task no more replaces nothing. Outputs have to be files
    of the user id `owner`, None = anybody's.
    """

    def __init__(
        self,
        objects: Objects,
        *,
        parameters: Parameters,
        patience: Patience,
        holds: Callable[[Task], Awaitable[bool]],
        owner: int | None,
    ) -> None:
        self._objects = objects
        self._holds = holds
        self._owner = owner
        self._patience = patience
        self._bucket = parameters.output_bucket or ""
        self._input_bucket = parameters.input_bucket or ""
        self._input_prefix = parameters.input_prefix or ""
        self._output_prefix = parameters.output_prefix or ""

    async def outputs(self, task: Task, files: Sequence[OutputFile]) -> tuple[Output, ...]:
        """Store every file; raises BadOutput, Collision, service errors, OSError."""
        planned = [(file, self._key(task, file.name)) for file in files]
        if len(planned) == 1:
            return (await self._store(task, *planned[0]),)
        stored: list[Output] = []
        for start in range(0, len(planned), _AT_ONCE):
            some = planned[start : start + _AT_ONCE]
            stored += await asyncio.gather(*(self._store(task, *each) for each in some))
        return tuple(stored)

    async def log(self, task: Task, path: Path, *, attempt: int) -> str:
        """Store an attempt's log; its key. Raises what `outputs` does."""
        key = f"{self._output_prefix}{keys.LOGS}{task.key}.{attempt}.log"
        if len(key.encode()) > MAX_KEY_BYTES:
            name = hashlib.sha256(task.key.encode()).hexdigest()
            key = f"{self._output_prefix}{keys.LOGS}{name}.{attempt}.log"
        await self._put(path, key, maker=maker(task), replace=True, owner=None)
        return key

    def _key(self, task: Task, name: str) -> str:
        key = keys.output_key(
            task.key, input_prefix=self._input_prefix, output_prefix=self._output_prefix, name=name
        )
        if key.startswith(self._output_prefix + keys.LOGS):
            raise BadOutput(f"output key {key!r:.200} lies where the logs are kept")
        if task.job and self._bucket == self._input_bucket and key.startswith(self._input_prefix):
            raise BadOutput(f"output key {key!r:.200} lies among the inputs: it would become one")
        return key

    async def _store(self, task: Task, file: OutputFile, key: str) -> Output:
        replace: bool | str = False
        for _ in range(_TRIES):
            try:
                stored = await self._put(
                    file.path, key, maker=maker(task), replace=replace, owner=self._owner
                )
            except ObjectTaken:
                replace = await self._replaceable(task, key)
            else:
                return Output(key, stored.size, stored.checksum)
        raise ObjectFailure(f"output {key!r:.300} changes all the time")

    async def _replaceable(self, task: Task, key: str) -> bool | str:
        """The ETag of what an earlier attempt left, False if nothing is there any more; raises
        Collision, LeaseLost.
        """
        look = functools.partial(self._made, key)
        found = await self._patience(look, what=f"reading who made {key!r:.200}")
        if found is None:
            await asyncio.sleep(jittered(_PAUSE_SECONDS))  # S3 may be storing another's just now
            return False
        if found.maker != maker(task):
            raise Collision(
                f"output {key!r:.300} was made by {readable(found.maker)} already; "
                f"{readable(maker(task))} made one of the same key"
            )
        # Asked after the look: whoever takes the task over from now on stores an object of another
        # ETag, and ours is refused.
        if not await self._holds(task):
            raise LeaseLost(f"another worker has taken {task.key!r:.300} over, or it has ended")
        return found.etag

    async def _made(self, key: str) -> Made | None:
        try:
            return await self._objects.made(self._bucket, key)
        except ObjectMissing:
            return None  # deleted since

    async def _put(
        self, path: Path, key: str, *, maker: str, replace: bool | str, owner: int | None
    ) -> Stored:
        upload = functools.partial(
            self._objects.upload,
            path,
            bucket=self._bucket,
            key=key,
            maker=maker,
            replace=replace,
            owner=owner,
        )
        return await self._patience(upload, what=f"upload of {key!r:.200}")


def maker(task: Task) -> str:
    """The input's bucket and key as ASCII that fits S3's metadata."""
    name = f"{task.bucket}/{task.key}"
    percent = quote(name)
    if len(percent) <= _MAKER_BYTES:
        return percent
    return "base64:" + urlsafe_b64encode(name.encode()).decode()


def readable(made_by: str | None) -> str:
    """What `maker` encoded, for a person."""
    if made_by is None:
        return "something that is no task"
    name = (
        urlsafe_b64decode(made_by.removeprefix("base64:")).decode()
        if made_by.startswith("base64:")
        else unquote(made_by)
    )
    return f"input {name!r:.300}"
