"""The worker of an instance, wired together: boot, environment, pipeline, end, shutdown decision.

Every way out of `_work`, an error or a signal too, comes to an `Ending`, and every `Ending` to
`shutdown.conclude`.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, NamedTuple, NoReturn, TypeVar

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.aws.imds import Imds, ImdsSilent
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.aws.object_errors import ObjectMissing
from aws_parallelizer.aws.objects import Objects
from aws_parallelizer.aws.spot import SpotRequests
from aws_parallelizer.aws.sqs import Queue
from aws_parallelizer.aws.stores import stores
from aws_parallelizer.core import user_data
from aws_parallelizer.core.errors import EnvironmentRefused, ParallelizerError
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.core.user_data import UserData
from aws_parallelizer.worker import environment, logs, shutdown
from aws_parallelizer.worker.attempt import Tools
from aws_parallelizer.worker.claims import Bearer, Claims
from aws_parallelizer.worker.environment import Environment
from aws_parallelizer.worker.leases import Leases
from aws_parallelizer.worker.offload import Offload
from aws_parallelizer.worker.patience import Patience
from aws_parallelizer.worker.pipeline import Pipeline
from aws_parallelizer.worker.publishing import Publishing
from aws_parallelizer.worker.scratch import Scratch
from aws_parallelizer.worker.settings import Settings
from aws_parallelizer.worker.settlement import Settlement
from aws_parallelizer.worker.shutdown import Ending
from aws_parallelizer.worker.stopping import Stop, watch_for_notice
from aws_parallelizer.worker.verdict import MemoryKills

T = TypeVar("T")
log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SIGNALLED = "a signal asked for it"
_OFFLOAD_THREADS = (
    6  # a poll, two claims, two settlements, and one for renewals and the metadata service
)
_NOTICE_PATIENCE_SECONDS = 2.0


class Machine(NamedTuple):
    """The instance that this worker runs on."""

    instance: str
    region: str


class _Terminated(BaseException):
    """SIGTERM or SIGINT before the pipeline runs, which takes them itself."""


def run() -> int:
    """Work until there is no more to do; the exit code."""
    logs.start()
    _on_signals(_raise_terminated)
    settings = Settings.read({})
    machine: Machine | None = None
    try:
        settings = Settings.read(os.environ)
        imds = Imds(settings.metadata)
        machine = Machine(imds.instance_id(), imds.region())
        ending = _work(settings, imds, machine)
    except ValueError as error:
        ending = Ending(f"an environment variable cannot be read: {error}", 1, shut_down=True)
    except ImdsSilent as error:
        ending = Ending(str(error), 1, shut_down=True)
    except _Terminated:
        ending = Ending(_SIGNALLED, 0, shut_down=True)
    _on_signals(signal.SIG_IGN)  # what follows is short, and must not be left half done
    return shutdown.conclude(
        ending,
        instance=machine.instance if machine else None,
        requests=SpotRequests(clients.client("ec2", region=machine.region)) if machine else None,
        power_off=settings.power_off,
    )


def _work(settings: Settings, imds: Imds, machine: Machine) -> Ending:
    shut_down = True
    try:
        data = user_data.decode(imds.user_data())
        shut_down = data.parameters.should_shutdown
        return asyncio.run(_serve(data, settings=settings, machine=machine))
    except _Terminated:
        return Ending(_SIGNALLED, 0, shut_down)
    except (ParallelizerError, *SERVICE_ERRORS) as error:
        return Ending(str(error), 1, shut_down)
    except Exception as error:
        log.exception("the worker crashed")
        return Ending(f"the worker crashed: {error!r}", 1, shut_down)


async def _serve(data: UserData, *, settings: Settings, machine: Machine) -> Ending:
    parameters, stop, offload = data.parameters, Stop(), Offload(_OFFLOAD_THREADS)
    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.halt, _SIGNALLED)
    objects, scratch = _objects(parameters), Scratch(settings.scratch)
    shown = await _unless_halted(_environment(parameters, objects, scratch), stop)
    if shown is None:
        return Ending(stop.reason, 0, parameters.should_shutdown)
    pipeline = _pipeline(
        data,
        objects=objects,
        scratch=scratch,
        shown=shown,
        stop=stop,
        offload=offload,
        path=settings.path,
        machine=machine,
    )
    watching = asyncio.create_task(
        watch_for_notice(
            Imds(settings.metadata, patience=_NOTICE_PATIENCE_SECONDS),
            stop,
            offload=offload,
            every=settings.notice_seconds,
        )
    )
    try:
        why = await pipeline.run()
    finally:
        watching.cancel()
    # After a notice EC2 itself takes the instance, and starts a persistent request's again when it
    # can.
    return Ending(why, 0, parameters.should_shutdown and not stop.taken_back)


def _objects(parameters: Parameters) -> Objects:
    s3 = clients.client("s3", region=parameters.region)
    return Objects(s3, store=stores(s3))


def _pipeline(
    data: UserData,
    *,
    objects: Objects,
    scratch: Scratch,
    shown: Environment,
    stop: Stop,
    offload: Offload,
    path: str,
    machine: Machine,
) -> Pipeline:
    parameters, patience = data.parameters, Patience()
    slots = parameters.num_threads or len(os.sched_getaffinity(0))
    queue = Queue(clients.client("sqs", region=parameters.region), url=str(parameters.queue_url))
    ledger = _ledger(data)
    leases = Leases(queue, offload=offload, seconds=parameters.visibility_timeout)
    bearer = Bearer(data.job, str(parameters.input_bucket), machine.instance, shown.version)
    tools = Tools(
        objects=objects,
        publishing=Publishing(objects, parameters=parameters, patience=patience),
        scratch=scratch,
        shown=shown,
        patience=patience,
        memory_kills=MemoryKills(),
        slots=asyncio.Semaphore(slots),
        parameters=parameters,
        path=path,
    )
    return Pipeline(
        queue=queue,
        claims=Claims(ledger, bearer),
        tools=tools,
        leases=leases,
        settlement=Settlement(
            ledger=ledger, queue=queue, leases=leases, offload=offload, patience=patience
        ),
        offload=offload,
        stop=stop,
        slots=slots,
    )


def _ledger(data: UserData) -> Ledger | None:
    if not data.ledger_table:
        return None
    client = clients.client("dynamodb", region=data.parameters.region)
    return Ledger(Table(client, name=data.ledger_table))


async def _environment(parameters: Parameters, objects: Objects, scratch: Scratch) -> Environment:
    bucket, key = str(parameters.environment_bucket), parameters.environment_zip
    await asyncio.to_thread(scratch.sweep)
    download = functools.partial(objects.download, bucket, key, to=scratch.archive)
    try:
        fetched = await Patience()(download, what="download of the environment")
    except ObjectMissing as error:
        raise EnvironmentRefused(f"there is no environment zip s3://{bucket}/{key}") from error
    shown = await asyncio.to_thread(
        environment.unpack,
        scratch.archive,
        into=scratch.environment,
        prefix=parameters.environment_prefix,
        program=parameters.analysis_program,
        version=fetched.etag,
    )
    scratch.archive.unlink()
    return shown


async def _unless_halted(preparing: Coroutine[Any, Any, T], stop: Stop) -> T | None:
    prepared = asyncio.create_task(preparing)
    halted = asyncio.create_task(stop.halting.wait())
    await asyncio.wait((prepared, halted), return_when=asyncio.FIRST_COMPLETED)
    halted.cancel()
    if prepared.done():
        return prepared.result()
    prepared.cancel()
    return None


def _on_signals(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    for number in _SIGNALS:
        signal.signal(number, handler)


def _raise_terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated
