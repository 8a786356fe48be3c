"""One attempt at a task: download, run, store. Whatever happens, it comes to one of the outcomes.

A slot is held only while the program runs; inputs come and outputs go beside it.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import msgspec

from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.aws.object_errors import ObjectMissing
from aws_parallelizer.aws.objects import Objects
from aws_parallelizer.core.outcome import Outcome
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.core.task import Ended
from aws_parallelizer.worker import logs, outputs, program, verdict
from aws_parallelizer.worker.environment import Environment
from aws_parallelizer.worker.orphans import Orphans
from aws_parallelizer.worker.patience import Patience
from aws_parallelizer.worker.publishing import Publishing
from aws_parallelizer.worker.scratch import Folder, Scratch
from aws_parallelizer.worker.slots import Slots
from aws_parallelizer.worker.transcript import Log, Transcript
from aws_parallelizer.worker.verdict import MemoryKills
from aws_parallelizer.worker.work import Phase, Work

log = logging.getLogger(__name__)

_CLOSING_SECONDS = 600  # kept free before SQS ends the lease, for uploads


class Tools(NamedTuple):
    """What every attempt of a worker uses."""

    objects: Objects
    publishing: Publishing
    scratch: Scratch
    shown: Environment
    patience: Patience
    memory_kills: MemoryKills
    slots: Slots
    parameters: Parameters
    orphans: Orphans
    path: str


async def run(work: Work, tools: Tools) -> Ended:
    """Carry the attempt out; never raises. Cancelled, it ends the program and comes to
    `interrupted`.
    """
    started = time.monotonic()
    with logs.about(work):
        ended = await _safely(work, tools)
    return msgspec.structs.replace(
        ended, seconds=ended.seconds or round(time.monotonic() - started, 3)
    )


async def _safely(work: Work, tools: Tools) -> Ended:
    try:
        return await _in_folder(work, tools)
    except asyncio.CancelledError:
        return Ended(outcome=Outcome.INTERRUPTED, reason="the worker had to end")
    except Exception as error:  # noqa: BLE001 - no slot is lost to what befell its task
        return _of_error(error)


def _of_error(error: Exception) -> Ended:
    foreseen = verdict.of_error(error)
    if foreseen is None:
        log.error("an attempt ended by an error nobody foresaw", exc_info=error)
        return Ended(outcome=Outcome.INFRASTRUCTURE, reason=f"{type(error).__name__}: {error}")
    return foreseen


async def _in_folder(work: Work, tools: Tools) -> Ended:
    folder = tools.scratch.make(work.task.key, tools.shown)
    try:
        try:
            await _download(work, folder, tools)
        except ObjectMissing as error:
            return Ended(outcome=Outcome.INPUT_MISSING, reason=f"the input is gone: {error}")
        return await _with_log(work, folder, tools)
    finally:
        await tools.scratch.take_back(folder)


async def _download(work: Work, folder: Folder, tools: Tools) -> None:
    row = work.task
    call = functools.partial(
        tools.objects.download,
        row.bucket,
        row.key,
        to=folder.input,
        size=row.size,
        etag=row.etag,
    )
    work.fetched = await tools.patience(call, what=f"download of {row.key!r:.200}")
    tools.scratch.hand_over(folder)


async def _with_log(work: Work, folder: Folder, tools: Tools) -> Ended:
    kept = None if tools.parameters.keep_logs == "never" else Log(folder.root)
    work_folder = os.fsencode(folder.work)
    written = Transcript(lambda line: outputs.is_named(line, work_folder), log=kept)
    try:
        ended = await _run_and_store(work, folder, tools, written)
        ended = msgspec.structs.replace(ended, last_output=written.last_output())
        return await _keep(kept, ended, work, folder, tools) if kept else ended
    finally:
        if kept:
            kept.close()


async def _run_and_store(work: Work, folder: Folder, tools: Tools, written: Transcript) -> Ended:
    ended = await _run(work, folder, tools, written)
    if ended.outcome != Outcome.DONE:
        return ended
    try:
        lines = written.names.close()
        files = outputs.find(lines, work=folder.work, shown=tools.shown)
        stored = await tools.publishing.outputs(work.task, files)
    except Exception as error:  # noqa: BLE001 - the task's last words outlive it
        failed = _of_error(error)
        return msgspec.structs.replace(failed, exit_code=ended.exit_code, seconds=ended.seconds)
    return msgspec.structs.replace(ended, outputs=stored)


async def _run(work: Work, folder: Folder, tools: Tools, written: Transcript) -> Ended:
    work.enter(Phase.WAITING)
    async with tools.slots.one(work.at_once):
        work.enter(Phase.RUNNING)
        seconds, limit = _limit(work, tools.parameters)
        folder.quiet = False
        tools.memory_kills.look()
        try:
            ran = await program.run(
                _command(folder, tools),
                folder=folder.work,
                environment=_variables(work, folder, tools),
                transcript=written,
                limit=seconds,
                programs=tools.orphans.programs,
                become=_become(folder, tools),
            )
        except OSError as error:
            return verdict.of_no_start(error)
        finally:
            folder.quiet = await tools.orphans.end(folder.root, folder.group)
            work.enter(Phase.STORING)
    full = ran.exit_code != 0 and tools.scratch.is_full()
    return verdict.of_run(ran, limit=limit, disk_full=full, memory_kills=tools.memory_kills)


async def _keep(kept: Log, ended: Ended, work: Work, folder: Folder, tools: Tools) -> Ended:
    if ended.outcome == Outcome.DONE and tools.parameters.keep_logs != "always":
        return ended
    path = folder.root / "log"
    try:
        if not kept.save(path):
            return ended
        key = await tools.publishing.log(work.task, path, attempt=work.attempt)
    except (*SERVICE_ERRORS, OSError) as error:
        # The outcome stands without its log.
        log.warning("what the program wrote could not be kept: %s", error)
        return ended
    finally:
        path.unlink(missing_ok=True)  # the folder's next attempt could read it
    return msgspec.structs.replace(ended, log_key=key)


def _command(folder: Folder, tools: Tools) -> list[str]:
    # A name that begins with a dash would be read as an option.
    argument = f"./{folder.argument}" if folder.argument.startswith("-") else folder.argument
    return [f"./{tools.shown.program}", argument]


def _become(folder: Folder, tools: Tools) -> AbstractContextManager[None]:
    user, group = tools.scratch.user, folder.group
    return user.become(group) if user and group is not None else nullcontext()


def _limit(work: Work, parameters: Parameters) -> tuple[float, str]:
    left = work.lease_left() - _CLOSING_SECONDS
    if parameters.timeout and parameters.timeout <= left:
        return parameters.timeout, f"the attempt took longer than timeout, {parameters.timeout} s"
    return left, "SQS ends a lease after 12 hours, and the attempt was not done by then"


def _variables(work: Work, folder: Folder, tools: Tools) -> Mapping[str, str]:
    return {
        "PATH": tools.path,
        "HOME": str(folder.work),
        "TMPDIR": str(folder.tmp),
        "LANG": "C.UTF-8",
        "PARALLELIZER_JOB": work.task.job,
        "PARALLELIZER_KEY": work.task.key,
        "PARALLELIZER_BUCKET": work.task.bucket,
        "PARALLELIZER_ATTEMPT": str(work.attempt),
    }
