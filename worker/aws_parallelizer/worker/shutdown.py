"""The shutdown decision: the one place that every way out of a worker leads to."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.aws.spot import GONE, SpotRequests
from aws_parallelizer.core.errors import NotFound
from aws_parallelizer.worker import logs

log = logging.getLogger(__name__)

PAUSES_SECONDS = (0.5, 1, 2, 4, 8, 15, 30, 30)
TRY_AGAIN = 75  # EX_TEMPFAIL: the exit code by which the image knows to start the worker again
_POWER_OFF_SECONDS = 60
_NOT_CANCELLED = (
    "the worker ends, the instance stays, because EC2 would start it again as long as its "
    "persistent spot request is not cancelled"
)


class Ending(NamedTuple):
    """Why the worker ends, its exit code, and whether the instance is to go with it: for good, or
    parked, to be started again when there is work.
    """

    why: str
    code: int
    shut_down: bool
    park: bool = False


class _Decision(NamedTuple):
    what: str
    code: int
    power_off: bool


def conclude(
    ending: Ending,
    *,
    instance: str | None,
    requests: Callable[[], SpotRequests],
    power_off: Sequence[str],
    tell: Callable[[str], None],
    pauses: Iterable[float] = PAUSES_SECONDS,
) -> int:
    """Carry the decision out; the exit code. `instance` is None where the machine does not know its
    own id. `tell` is handed the decision's sentence before the power goes; nothing that befalls it
    keeps the instance running.
    """
    decision = _decide(ending, instance=instance, requests=requests, pauses=pauses)
    sentence = f"{decision.what}: {ending.why}"
    log.log(logging.ERROR if decision.code else logging.INFO, "%s", sentence, extra=logs.SENT)
    try:
        tell(sentence)
    except Exception:
        log.exception("why the worker ends could not be told")
        log.log(logging.ERROR if decision.code else logging.INFO, "%s", sentence)
    if not decision.power_off:
        return decision.code
    return decision.code if _power_off(power_off) else 1


def _decide(
    ending: Ending,
    *,
    instance: str | None,
    requests: Callable[[], SpotRequests],
    pauses: Iterable[float],
) -> _Decision:
    if not ending.shut_down:
        return _Decision("the worker ends, the instance stays", ending.code, power_off=False)
    if ending.park:
        # Its request stays, and EC2 makes it disabled, instance-stopped-by-user: nothing starts the
        # instance by itself, and whoever wants it again needs its request.
        # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html
        return _Decision("the worker ends and parks the instance", ending.code, power_off=True)
    if instance and not _cancel(instance, requests, pauses):
        return _Decision(_NOT_CANCELLED, TRY_AGAIN, power_off=False)
    what = "the worker ends and shuts the instance down"
    return _Decision(what, ending.code, power_off=True)


def _cancel(instance: str, requests: Callable[[], SpotRequests], pauses: Iterable[float]) -> bool:
    for pause in (*pauses, 0):
        try:
            if _is_cancelled(instance, requests()):
                return True
        except (*SERVICE_ERRORS, NotFound) as error:
            log.warning("the spot request of %s is not cancelled yet: %s", instance, error)
        except Exception:
            # What is not known to be cancelled is not, and the decision has to be taken.
            log.exception("the spot request of %s is not cancelled yet", instance)
        time.sleep(pause)
    return False


def _is_cancelled(instance: str, requests: SpotRequests) -> bool:
    request = requests.persistent_request_of(instance)
    if request is None or requests.state(request) in GONE:
        return True
    requests.cancel(request)
    return requests.state(request) in GONE


def _power_off(command: Sequence[str]) -> bool:
    try:
        subprocess.run(command, check=True, timeout=_POWER_OFF_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        log.error("%s failed: %s", command, error)  # noqa: TRY400 - the sentence says it all
        return False
    return True
