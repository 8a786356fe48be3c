"""`python -m local`: the local cloud on the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from local.bodies import machine_options
from local.prices import deploy_with_prices
from local.reclaim import ReclaimFailed, reclaim
from local.settings import Machines
from local.up import place_in, up

say = partial(print, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if options.command == "up":
        place = place_in(
            options.directory,
            port=options.port,
            ec2_port=options.ec2_port,
            machines=Machines(
                body=options.body,
                images=options.images and options.images.resolve(),
                releases=options.release,
                ssh_port=options.ssh_port,
            ),
        )
        return up(place, deploy=deploy_with_prices, say=say)
    try:
        ends = reclaim(options.instance, notice=options.notice, directory=options.directory)
    except ReclaimFailed as error:
        print(f"reclaim: {error}", file=sys.stderr)
        return 1
    say(f"{options.instance} has its notice and ends at {ends}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up_command = commands.add_parser("up", help="run the local cloud in the foreground")
    up_command.add_argument("--port", type=int, help="of ministack; a free one by default")
    up_command.add_argument("--ec2-port", type=int, help="of EC2; a free one by default")
    machine_options(up_command)
    reclaim_command = commands.add_parser("reclaim", help="take a spot instance back")
    reclaim_command.add_argument("instance", help="i-...")
    reclaim_command.add_argument("--notice", type=float, default=120, help="seconds")
    for command in (up_command, reclaim_command):
        command.add_argument("--directory", type=Path, default=Path(".local"), help="its folder")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
