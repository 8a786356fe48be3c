"""Whether a worker is in charge of this machine; if not, the machine is to end.

A worker decides itself what becomes of its instance. This is for the worker that cannot: that was
never started, does not start, or fails again and again. It ends with 0 where the machine may go
on, and with 1 where systemd is to power it off. It runs on the system's Python, for the worker's
own may be what is broken.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from enum import Enum, auto
from typing import NamedTuple

WORKER = "aws-parallelizer.service"
TRY_AGAIN = 75  # the worker's exit code for "the instance has to stay until the next try"
_IN_CHARGE = ("active", "activating", "deactivating", "reloading")
_PROPERTIES = ("ActiveState", "Result", "ExecMainStatus", "ExecMainStartTimestampMonotonic")
_COMMAND_SECONDS = 60.0
_METADATA_SECONDS = 5.0
_METADATA_TRIES = 5  # after 0, 1, ... s: the network may come up late


class Unit(NamedTuple):
    """The worker's unit, as systemd sees it."""

    state: str
    result: str
    status: int
    was_started: bool


class Verdict(Enum):
    """What becomes of the machine."""

    GOES_ON = auto()
    TRIES_AGAIN = auto()
    ENDS = auto()


def judge(unit: Unit, *, may_end: bool) -> tuple[Verdict, str]:
    """The verdict, and why. `may_end` is the job's `shouldShutdown`."""
    if unit.state in _IN_CHARGE:
        return Verdict.GOES_ON, "the worker is at work"
    if unit.was_started and unit.state == "inactive" and unit.result == "success":
        return Verdict.GOES_ON, "the worker ended and let the instance stay"
    if not unit.was_started:
        why = "the worker was never started; is its line still in /etc/rc.local?"
    else:
        why = f"the worker failed ({unit.result}, exit code {unit.status}); its last lines say why"
    if unit.was_started and unit.status == TRY_AGAIN:
        return Verdict.TRIES_AGAIN, why
    if not may_end:
        return Verdict.GOES_ON, f"{why}; the job's shouldShutdown is false"
    return Verdict.ENDS, why


def read_unit(shown: str) -> Unit:
    """`systemctl show`'s lines."""
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return Unit(
        state=values.get("ActiveState", ""),
        result=values.get("Result", ""),
        status=int(values.get("ExecMainStatus") or 0),
        was_started=values.get("ExecMainStartTimestampMonotonic", "0") not in ("", "0"),
    )


def may_end(user_data: str) -> bool:
    """The user data's `shouldShutdown`; true unless it says false."""
    told = True
    for line in user_data.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "shouldShutdown":
            told = value.strip().lower() != "false"
    return told


def fetch_user_data() -> str:
    """The instance's user data; empty if there is none, or no answer."""
    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "http://169.254.169.254/"
    base, last = base.rstrip("/"), ""
    for pause in range(_METADATA_TRIES):
        time.sleep(pause)
        try:
            token = _ask(f"{base}/latest/api/token", "PUT", ("ttl-seconds", "60"))
            return _ask(f"{base}/latest/user-data", "GET", ("", token))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return ""
            last = str(error)
        except OSError as error:
            last = str(error)
    print(f"no answer from the metadata service: {last}", flush=True)
    return ""


def _ask(url: str, method: str, header: tuple[str, str]) -> str:
    name = "-".join(filter(None, ("X-aws-ec2-metadata-token", header[0])))
    request = urllib.request.Request(url, method=method, headers={name: header[1]})  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=_METADATA_SECONDS) as answer:
        body: bytes = answer.read()
        return body.decode(errors="replace")


def _systemctl(*arguments: str) -> str:
    done = subprocess.run(
        ["systemctl", *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
    )
    return done.stdout


def main() -> int:
    """Look, say what is found, and do the least of it; the exit code."""
    try:
        return _look()
    except subprocess.TimeoutExpired:
        print("the machine goes on until the next look: it is too busy to answer", flush=True)
        return 0


def _look() -> int:
    unit = read_unit(_systemctl("show", WORKER, f"--property={','.join(_PROPERTIES)}"))
    verdict, why = judge(unit, may_end=True)
    if verdict is Verdict.ENDS:
        verdict, why = judge(unit, may_end=may_end(fetch_user_data()))
    if verdict is Verdict.GOES_ON:
        print(f"the machine goes on: {why}", flush=True)
        return 0
    if verdict is Verdict.TRIES_AGAIN:
        print(f"the worker is started again: {why}", flush=True)
        _systemctl("reset-failed", WORKER)
        _systemctl("start", "--no-block", WORKER)
        return 0
    print(f"the machine is powered off: {why}", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
