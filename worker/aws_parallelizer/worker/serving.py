"""The worker at its work, wired together: environment, pipeline, heartbeat, and whoever may ask it
to end.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
from collections.abc import Coroutine
from typing import Any, NamedTuple, TypeVar

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.dynamodb import FREQUENT as FREQUENT_OF_TABLES
from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.imds import Imds
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.aws.object_errors import ClockOff, ObjectMissing, ObjectRefused
from aws_parallelizer.aws.objects import Objects
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.aws.sqs import FREQUENT as FREQUENT_OF_QUEUES
from aws_parallelizer.aws.sqs import Queue
from aws_parallelizer.aws.stores import stores
from aws_parallelizer.core.errors import EnvironmentRefused
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.core.user_data import UserData
from aws_parallelizer.worker import environment, inspection, orders, unprivileged, watchdog
from aws_parallelizer.worker.attempt import Tools
from aws_parallelizer.worker.claims import Bearer, Claims
from aws_parallelizer.worker.environment import Environment
from aws_parallelizer.worker.heartbeat import Heartbeat
from aws_parallelizer.worker.leases import Leases
from aws_parallelizer.worker.metrics import Metrics, dimensions
from aws_parallelizer.worker.offload import Offload
from aws_parallelizer.worker.orphans import Orphans
from aws_parallelizer.worker.patience import Patience
from aws_parallelizer.worker.pipeline import Pipeline
from aws_parallelizer.worker.publishing import Holds, Publishing
from aws_parallelizer.worker.scratch import Scratch
from aws_parallelizer.worker.settings import Settings
from aws_parallelizer.worker.settlement import Settlement
from aws_parallelizer.worker.shutdown import Ending
from aws_parallelizer.worker.signals import Signals
from aws_parallelizer.worker.slots import Slots
from aws_parallelizer.worker.stopping import Stop, watch_for_notice
from aws_parallelizer.worker.verdict import MemoryKills

T = TypeVar("T")

SIGNALS = (signal.SIGTERM, signal.SIGINT)
SIGNALLED = "a signal asked for it"
_OFFLOAD_THREADS = 6  # a poll, two claims, two settlements, and one to spare
_NOTICE_PATIENCE_SECONDS = 2.0


class Machine(NamedTuple):
    """The instance that this worker runs on."""

    instance: str
    region: str


async def serve(
    data: UserData, *, settings: Settings, machine: Machine, heart: Heartbeat, signals: Signals
) -> Ending:
    """Work until there is no more to do, or until somebody asks to end; how it came to an end.
    Raises what keeps a worker from its work.
    """
    stop, table = Stop(), _table(data)
    for number in SIGNALS:
        signals.on(number, functools.partial(stop.halt, SIGNALLED))
    signals.on(inspection.SIGNAL, inspection.tell_of_no_task)
    # With threads of their own: calls that hang elsewhere do not make the worker look lost.
    helpers = [
        heart.keep(Offload(1), every=settings.beat_seconds),
        _tell_of_draining(stop, heart),
        watchdog.keep(settings.watchdog, seconds=settings.watchdog_seconds),
    ]
    if table and data.job:
        registry, own = Registry(table), Offload(1)
        helpers.append(
            orders.follow(registry, data.job, stop, offload=own, every=settings.beat_seconds)
        )
    helping = [asyncio.create_task(helper) for helper in helpers]
    try:
        with signals.listening():
            why = await _prepare_and_serve(
                data,
                table,
                settings=settings,
                machine=machine,
                heart=heart,
                stop=stop,
                signals=signals,
            )
    finally:
        for helper in helping:
            helper.cancel()
    # After a notice EC2 itself takes the instance, and starts a persistent request's again when it
    # can.
    return Ending(why, 0, data.parameters.should_shutdown and not stop.taken_back)


async def _tell_of_draining(stop: Stop, heart: Heartbeat) -> None:
    await stop.draining.wait()
    heart.drains(stop.reason)


async def _prepare_and_serve(
    data: UserData,
    table: Table | None,
    *,
    settings: Settings,
    machine: Machine,
    heart: Heartbeat,
    stop: Stop,
    signals: Signals,
) -> str:
    user = unprivileged.of_programs(settings.user)
    objects, scratch = _objects(data.parameters), Scratch(settings.scratch, user)
    shown = await _unless_draining(_environment(data.parameters, objects, scratch), stop)
    if shown is None:
        return stop.reason
    offload, slots = Offload(_OFFLOAD_THREADS), _slots(data.parameters)
    pipeline = _pipeline(
        data,
        table,
        objects=objects,
        scratch=scratch,
        shown=shown,
        stop=stop,
        offload=offload,
        slots=slots,
        path=settings.path,
        machine=machine,
    )
    signals.on(
        inspection.SIGNAL, functools.partial(inspection.tell, lambda: pipeline.works, slots=slots)
    )
    heart.takes_tasks(slots=slots, running=lambda: pipeline.running)
    metrics = Metrics(
        dimensions(data), pipeline.tally, slots=slots, running=lambda: pipeline.running
    )
    watching = watch_for_notice(
        Imds(settings.metadata, patience=_NOTICE_PATIENCE_SECONDS),
        stop,
        offload=Offload(1),
        every=settings.notice_seconds,
        settle=settings.settle_seconds,
    )
    helping = [asyncio.create_task(helper) for helper in (watching, metrics.keep())]
    try:
        return await pipeline.run()
    finally:
        for helper in helping:
            helper.cancel()
        metrics.say()


def _slots(parameters: Parameters) -> int:
    return parameters.num_threads or len(os.sched_getaffinity(0))


def _objects(parameters: Parameters) -> Objects:
    s3 = clients.client("s3", region=parameters.region)
    return Objects(s3, store=stores(s3))


def _pipeline(
    data: UserData,
    table: Table | None,
    *,
    objects: Objects,
    scratch: Scratch,
    shown: Environment,
    stop: Stop,
    offload: Offload,
    slots: int,
    path: str,
    machine: Machine,
) -> Pipeline:
    parameters, patience, orphans = data.parameters, Patience(), Orphans()
    orphans.adopt()
    sqs = clients.quick(clients.client("sqs", region=parameters.region), *FREQUENT_OF_QUEUES)
    queue = Queue(sqs, url=str(parameters.queue_url))
    ledger = Ledger(table) if table else None
    # With a thread of its own: a ledger that hangs keeps all others waiting, and costs no lease.
    leases = Leases(queue, offload=Offload(1), seconds=parameters.visibility_timeout)
    bearer = Bearer(data.job, str(parameters.input_bucket), machine.instance, shown.version)
    tools = Tools(
        objects=objects,
        publishing=Publishing(
            objects,
            parameters=parameters,
            patience=patience,
            holds=Holds(ledger, offload=offload, patience=patience),
            owner=scratch.owner,
        ),
        scratch=scratch,
        shown=shown,
        patience=patience,
        memory_kills=MemoryKills(),
        slots=Slots(slots),
        orphans=orphans,
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


def _table(data: UserData) -> Table | None:
    if not data.ledger_table:
        return None
    client = clients.client("dynamodb", region=data.parameters.region)
    return Table(clients.quick(client, *FREQUENT_OF_TABLES), name=data.ledger_table)


async def _environment(parameters: Parameters, objects: Objects, scratch: Scratch) -> Environment:
    bucket, key = str(parameters.environment_bucket), parameters.environment_zip
    await asyncio.to_thread(scratch.sweep)
    download = functools.partial(objects.download, bucket, key, to=scratch.archive)
    # Of a clock that is wrong from the start somebody has to be told; it is started again soon.
    patience = Patience(hopeless=(ObjectRefused, ClockOff))
    try:
        fetched = await patience(download, what="download of the environment")
    except ObjectMissing as error:
        raise EnvironmentRefused(f"there is no environment zip s3://{bucket}/{key}") from error
    except OSError as error:
        raise EnvironmentRefused(f"the environment zip cannot be kept: {error}") from error
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


async def _unless_draining(preparing: Coroutine[Any, Any, T], stop: Stop) -> T | None:
    prepared = asyncio.create_task(preparing)
    draining = asyncio.create_task(stop.draining.wait())
    await asyncio.wait((prepared, draining), return_when=asyncio.FIRST_COMPLETED)
    draining.cancel()
    if stop.draining.is_set():
        prepared.cancel()
        return None
    return prepared.result()
