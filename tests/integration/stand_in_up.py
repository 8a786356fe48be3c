"""`up` with a stand-in for the deploy: argv is the folder and what the stand-in does."""

from __future__ import annotations

import io
import signal
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from aws_parallelizer.aws import clients
from aws_parallelizer.core.errors import ParallelizerError
from local.up import Say, place_in, up

BODIES = {"failing-reconcile": "raise RuntimeError('no')"}


def deploy(stack: str, *, parameters: Mapping[str, str], say: Say) -> Mapping[str, str]:
    """One function that is invoked, and names for the rest."""
    match sys.argv[2]:
        case "fail":
            raise ParallelizerError("the stack is refused")
        case "hang":
            say("hanging")
            signal.pause()
    say(f"deploying {stack} with {sorted(parameters)}")
    _function(sys.argv[2])
    names = ("RestAPIId", "InputBucket", "OutputBucket", "EnvironmentBucket")
    return {name: f"the {name}" for name in names} | {"ReconcileFunction": "reconcile"}


def _function(wish: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            "app.py", f"def handler(event, context):\n    {BODIES.get(wish, 'return event')}\n"
        )
    clients.client("lambda").create_function(
        FunctionName="reconcile",
        Runtime="python3.11",
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/r",
        Code={"ZipFile": buffer.getvalue()},
    )


if __name__ == "__main__":
    place = place_in(Path(sys.argv[1]), port=None, ec2_port=None)
    sys.exit(up(place, deploy=deploy, say=lambda text: print(text, flush=True)))
