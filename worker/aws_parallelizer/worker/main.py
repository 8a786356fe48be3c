"""The worker of an instance: boot, work, end, shutdown decision.

Every way out of `_work`, an error or a signal too, comes to an `Ending`, and every `Ending` to
`shutdown.conclude`, whose sentence is the last line of the console.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.dynamodb import Table
from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.aws.imds import Imds
from aws_parallelizer.aws.log_stream import LogStream
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.aws.spot import SpotRequests
from aws_parallelizer.core import user_data
from aws_parallelizer.core.errors import ParallelizerError
from aws_parallelizer.core.fleet import WORKER_LOGS
from aws_parallelizer.core.user_data import Whose
from aws_parallelizer.worker import inspection, logs, shutdown, unprivileged
from aws_parallelizer.worker.heartbeat import Heartbeat
from aws_parallelizer.worker.serving import SIGNALLED, SIGNALS, Machine, serve
from aws_parallelizer.worker.settings import Settings
from aws_parallelizer.worker.shipping import Shipping
from aws_parallelizer.worker.shutdown import Ending
from aws_parallelizer.worker.signals import Signals

log = logging.getLogger(__name__)

_OBJECTS_BETWEEN_COLLECTIONS = 20_000
_UMASK = 0o022  # whatever started us: programs of another user read the environment
_TRIES = 2  # of what is tried again at the next beat, or with the next line
_LAST_SECONDS = 10.0  # that the machine's end waits for the last lines


class _Terminated(BaseException):
    """SIGTERM or SIGINT before the pipeline runs, which takes them itself."""


@dataclass
class _Known:
    """What is known so far, for the worker's end."""

    settings: Settings
    heart: Heartbeat
    shipping: Shipping | None = None
    machine: Machine | None = None
    shut_down: bool = True
    park: bool = False


def run() -> int:
    """Work until there is no more to do; the exit code."""
    logs.start()
    os.umask(_UMASK)
    known = _Known(Settings.read(os.environ), Heartbeat(None, job="", instance=""))
    _on_signals(_raise_terminated)
    try:
        ending = _work(known)
    except _Terminated:
        ending = Ending(SIGNALLED, 0, known.shut_down)
    except (ParallelizerError, *SERVICE_ERRORS) as error:
        ending = Ending(str(error), 1, known.shut_down)
    except Exception as error:
        log.exception("the worker crashed")
        ending = Ending(f"the worker crashed: {error!r}", 1, known.shut_down)
    signal.signal(inspection.SIGNAL, inspection.tell_of_no_task)
    _on_signals(signal.SIG_IGN)  # what follows is short, and must not be left half done
    machine = known.machine
    if known.shipping:
        known.shipping.hush()
    return shutdown.conclude(
        ending._replace(park=known.park),
        instance=machine.instance if machine else None,
        requests=lambda: SpotRequests(clients.client("ec2", region=machine and machine.region)),
        power_off=known.settings.power_off,
        tell=functools.partial(_tell, known),
    )


def _work(known: _Known) -> Ending:
    signal.signal(inspection.SIGNAL, inspection.tell_of_no_task)
    settings = known.settings
    logs.start(settings.log)
    imds = Imds(settings.metadata)
    known.machine = machine = Machine(imds.instance_id(), imds.region())
    told = imds.user_data()
    whose = user_data.whose(told)
    always = {"job": whose.job, "instance": machine.instance}
    logs.start(settings.log, always=always)
    if whose.stack:
        known.shipping = _shipping(whose.stack, machine, always)
    known.heart = _heart(whose, machine)
    if settings.problems:
        problems = "; ".join(settings.problems)
        return Ending(f"an environment variable cannot be read: {problems}", 1, shut_down=True)
    data = user_data.decode(told)
    known.shut_down = data.parameters.should_shutdown
    known.park = data.parameters.shutdown_behavior == "stop"
    _collect_seldom()
    signals = Signals()
    _on_signals(signals)
    signal.signal(inspection.SIGNAL, signals)

    def in_loop() -> Ending:
        unprivileged.shed()
        return asyncio.run(
            serve(data, settings=settings, machine=machine, heart=known.heart, signals=signals)
        )

    # The thread that starts programs must not be the main one.
    with ThreadPoolExecutor(1, "loop") as executor:
        return executor.submit(in_loop).result()


def _collect_seldom() -> None:
    # A file makes some thousand objects and hardly a cycle: to look for cycles as often as Python
    # does by itself takes a tenth of the worker's CPU.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def _heart(whose: Whose, machine: Machine) -> Heartbeat:
    job, table = whose.job, whose.ledger_table
    if not (job and table):
        return Heartbeat(None, job=job, instance=machine.instance)
    client = clients.client("dynamodb", region=machine.region, attempts=_TRIES)
    return Heartbeat(Registry(Table(client, name=table)), job=job, instance=machine.instance)


def _shipping(stack: str, machine: Machine, always: Mapping[str, str]) -> Shipping:
    def open_stream() -> LogStream:
        client = clients.client("logs", region=machine.region, attempts=_TRIES)
        return LogStream(client, group=WORKER_LOGS.format(stack=stack), stream=machine.instance)

    shipping = Shipping(open_stream, always=always)
    logging.getLogger().addHandler(shipping)
    return shipping


def _tell(known: _Known, sentence: str) -> None:
    """Say for the last time why it ends; the sentence has been logged."""
    deadline = time.monotonic() + _LAST_SECONDS
    known.heart.end(sentence)
    if known.shipping:
        known.shipping.end(max(0.0, deadline - time.monotonic()))


def _on_signals(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    for number in SIGNALS:
        signal.signal(number, handler)


def _raise_terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated
