"""Looks at an image as EC2 describes it, starts one instance of it, and ends that in any case.

The instance is told something that is no job: its worker has to read it from the metadata service,
say on the console what is wrong with it, and shut the machine down, which terminates it. So a sign
of life needs no queue and no bucket. Should the worker not do that, and should we not live to end
the instance, a timer in it does.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.image_parameters import ImageParameters
from aws_parallelizer.aws.image_trials import TRIAL, Sight, Trials
from aws_parallelizer.aws.images import Images
from deploy.commands import Say
from image import checks, regions, signals
from image.checks import Check, Trial
from image.saying import ImageFailed

_TYPES = {"x86_64": "t3.small", "arm64": "t4g.small"}
_PATIENCE_SECONDS = 12 * 60.0  # a boot takes a minute or two, the console tells of it later
_CONSOLE_SECONDS = 5 * 60.0  # after the end
_TIMER_MINUTES = 25  # longer than all of that
_POLL_SECONDS = 10.0
_LOOKS = 6  # until EC2 shows what a launch has started whose answer was lost
_ENDING = ("shutting-down", "terminated")
_OWN_END = "Client.InstanceInitiatedShutdown"


def verify(region: str, *, image: str, arch: str, subnet: str, say: Say) -> bool:
    """Look at the image, or without a name at the one that stacks use, and say what is seen;
    whether all is as it should be. Raises ImageFailed, NotFound, and what botocore raises.
    """
    wanted = image or _published(region, arch)
    ec2 = clients.client("ec2", region=region)
    trials = Trials(ec2)
    details = trials.details(wanted)
    say(f"{wanted} ({details.name}) in {region}")
    shared = Images(ec2).launchable_by(wanted)
    found = list(checks.of_image(details, shared=shared, now=datetime.now(UTC)))
    _tell(found, say)
    kind = _TYPES.get(details.architecture, _TYPES["x86_64"])
    say(f"starting one {kind}, which costs about a cent; it is ended in any case")
    trial = boot(trials, wanted, kind=kind, subnet=subnet, say=say)
    tried = list(checks.of_trial(trial))
    _tell(tried, say)
    return all(check.good for check in [*found, *tried])


def boot(
    trials: Trials,
    image: str,
    *,
    kind: str,
    subnet: str = "",
    say: Say,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> Trial:
    """Start an instance, wait for its worker's sign of life and its own end, and see that it ends;
    raises what botocore raises.
    """
    token = uuid.uuid4().hex
    sign = f"trial_{token[:12]}"
    launched: list[str] = []
    with signals.interrupting():
        try:
            launched.append(
                trials.launch(image, kind=kind, user_data=_told(sign), token=token, subnet=subnet)
            )
            say(f"instance {launched[0]} is starting")
            return _watch(trials, launched[0], sign, sleep=sleep, now=now)
        finally:
            with signals.handled(lambda *_: say("the instance is still being ended; wait for it")):
                _end(trials, token, launched, say=say, sleep=sleep)


def _told(sign: str) -> str:
    """User data that a worker refuses by name, and that cloud-init takes for a program."""
    return f"#!/bin/sh\n{sign}=$(shutdown --no-wall -P +{_TIMER_MINUTES})\n"


def _watch(
    trials: Trials,
    instance: str,
    sign: str,
    *,
    sleep: Callable[[float], None],
    now: Callable[[], float],
) -> Trial:
    began, signed_at, console, tokens = now(), 0.0, "", False
    deadline, sight = began + _PATIENCE_SECONDS, Sight("")
    while now() < deadline:
        sight = trials.sight(instance)
        tokens = tokens or sight.tokens
        console = trials.console(instance) or console
        if sign in console and not signed_at:
            signed_at = now()
        if sight.state in _ENDING:
            if signed_at:
                break
            # The console's last lines come after the end.
            deadline = min(deadline, now() + _CONSOLE_SECONDS)
        sleep(_POLL_SECONDS)
    return Trial(
        instance=instance,
        signed=bool(signed_at),
        seconds=(signed_at or now()) - began,
        ended=sight.state in _ENDING and sight.reason == _OWN_END,
        state=sight.state,
        tokens=tokens,
        console=console,
    )


def _end(
    trials: Trials,
    token: str,
    launched: list[str],
    *,
    say: Say,
    sleep: Callable[[float], None],
) -> None:
    """Terminate what was launched, also where the launch's answer never came."""
    if not launched:
        say(f"looking for a minute whether EC2 has started one: the tag {TRIAL} = {token}")
    for _ in range(_LOOKS):
        try:
            found = sorted({*launched, *trials.started(token)})
            trials.terminate(found)
        except CALL_FAILED as error:
            say(f"could not end {' '.join(launched) or 'what was started'} yet ({error})")
        else:
            if found:
                return
        sleep(_POLL_SECONDS)
    if launched:
        say(
            f"instance {launched[0]} could not be ended: end it; by itself it shuts down "
            f"{_TIMER_MINUTES} minutes after its start"
        )


def _published(region: str, arch: str) -> str:
    name = regions.parameter(arch)
    found = ImageParameters(clients.client("ssm", region=region)).value(name)
    if not found:
        raise ImageFailed(f"{name} of {region} names no image: make ami, or set IMAGE=ami-...")
    return found


def _tell(found: list[Check], say: Say) -> None:
    for check in found:
        say(check.told())
